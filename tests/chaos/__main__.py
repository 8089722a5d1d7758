"""``python -m tests.chaos``: every fault, again and again, on a cluster of three brokers.

Prints one line a fault; a run that fails says at once what was violated and which keys.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.chaos import campaign
from tests.chaos.catalogue import FAULTS


def main() -> int:
    """Run what the arguments ask for; 1 when anything was violated."""
    options = _arguments()
    chosen = {name: FAULTS[name] for name in options.only or FAULTS}
    say: Callable[[str], None] = _to_stderr if options.json else _to_stdout
    with tempfile.TemporaryDirectory(prefix="livepulse-chaos-") as scratch:
        directory = options.keep or Path(scratch)
        with campaign.stage(directory.resolve()) as on:
            outcomes = list(
                campaign.outcomes(on, chosen, runs=options.runs, seed=options.seed, say=say)
            )
    report = campaign.report(outcomes)
    if options.json:
        sys.stdout.write(json.dumps(report) + "\n")
    return int(report["violations"] > 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, help="so many runs of each fault, instead of its own")
    parser.add_argument(
        "--only", action="append", choices=sorted(FAULTS), metavar="FAULT",
        help=f"only this fault; may be given again. One of {', '.join(FAULTS)}",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the next count up")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--keep", type=Path, help="keep logs and evidence in this directory")
    return parser.parse_args()


def _to_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    # Threads and forks are about: nothing of them may hold the end back.
    code = main()
    sys.stdout.flush()
    os._exit(code)
