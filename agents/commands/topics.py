"""`livepulse topics`: make the topics as they must be, and show what each is for."""

from typing import Annotated, Any

import typer

from agents.commands.printing import print_json

app = typer.Typer(
    help="Create the topics that livepulse reads and writes, and list what each is for.",
    no_args_is_help=True,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
_DIFFERS = 3


@app.command()
def create(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask the broker to validate; create nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Create every topic that is missing; report those that are made differently.

    Nothing is ever changed or deleted: a topic whose number of partitions or cleanup policy
    differs is shown with the command that mends it, and the exit code is 3.

    Example: LIVEPULSE_PARTITIONS=12 LIVEPULSE_REPLICATION_FACTOR=3 livepulse topics create
    """
    # Imported here so that `livepulse --help` stays fast.
    from agents import admin, topics  # noqa: PLC0415 - as above
    from agents.settings import load  # noqa: PLC0415 - as above

    settings = load()
    specs = topics.topics(settings)
    with admin.open_admin(settings) as client:
        found = admin.existing(client, [spec.name for spec in specs])
        missing = [spec for spec in specs if spec.name not in found]
        admin.create(client, missing, dry_run=dry_run)
    present = [spec for spec in specs if spec.name in found]
    differing = topics.differences(present, found, bootstrap=settings.kafka_bootstrap)
    created = [spec.name for spec in missing]
    kept = [spec.name for spec in present]
    _report(created, kept, differing, dry_run=dry_run, as_json=as_json)
    if differing:
        raise typer.Exit(_DIFFERS)


def _report(
    created: list[str], existing: list[str], differing: list[Any], *, dry_run: bool, as_json: bool
) -> None:
    if as_json:
        print_json(
            {"dry_run": dry_run, "created": created, "existing": existing, "differing": differing}
        )
        return
    verb = "would create" if dry_run else "created"
    for name in created:
        typer.echo(f"{verb:>12}  {name}")
    wrong = {difference.topic for difference in differing}
    for name in existing:
        typer.echo(f"{'differs' if name in wrong else 'exists':>12}  {name}")
    for difference in differing:
        typer.secho(f"{difference.topic} {difference.problem}", fg="red", err=True)
        typer.echo(f"  to mend: {difference.mend}", err=True)


@app.command("list")
def list_(*, as_json: Json = False) -> None:
    """List every topic of these settings: what it carries, how it is made and why.

    Needs no broker. Example: livepulse topics list --json
    """
    from agents.settings import load  # noqa: PLC0415 - keeps `livepulse --help` fast
    from agents.topics import topics  # noqa: PLC0415 - as above

    specs = topics(load())
    if as_json:
        print_json({"topics": specs})
        return
    for spec in specs:
        typer.secho(spec.name, bold=True, nl=False)
        typer.echo(f"  {spec.partitions} partitions, replication {spec.replication}")
        typer.echo(f"  carries  {', '.join(spec.types)}")
        typer.echo(f"  config   {' '.join(f'{key}={value}' for key, value in spec.config.items())}")
        typer.echo(f"  why      {spec.why}\n")


@app.command("acls")
def acls_(*, as_json: Json = False) -> None:
    """Print the permissions that each user needs at a Kafka with ACLs, and no others.

    By default as commands of Kafka's own tool; deploy/security.md says what each is for.

    Example: livepulse topics acls | grep livepulse-worker | sh
    """
    from agents.acls import acls, command, principal  # noqa: PLC0415 - keeps `--help` fast
    from agents.settings import load  # noqa: PLC0415 - as above

    settings = load()
    wanted = acls(settings)
    if as_json:
        users = {acl.role: principal(settings, acl.role) for acl in wanted}
        print_json({"users": users, "acls": wanted})
        return
    for acl in wanted:
        typer.echo(command(settings, acl))
