"""A Kafka whose own settings are wrong in a way that no topic can make good."""

import importlib.util
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.kafka import SCRIPT, Kafka
from tests.ports import free_port


@contextmanager
def running_sick_kafka(directory: Path, wrong: Mapping[str, str]) -> Iterator[Kafka]:
    """Run a broker with these properties instead of the right ones, until the block ends.

    Raises FileNotFoundError when Java or Maven is not installed.
    """
    local = _local_kafka()
    broker = local.Broker(directory / "sick", free_port())
    properties = local.write_settings(broker)
    lines = [f"{name}={value}" for name, value in wrong.items()]
    properties.write_text("\n".join([properties.read_text(), *lines, ""]))  # the last one counts
    try:
        local.format_data(properties)
    except SystemExit as error:
        raise FileNotFoundError(str(error)) from error
    log = (broker.directory / "kafka.log").open("wb")
    command = ["setpriv", "--pdeathsig", "KILL", *local.java("kafka.Kafka", properties)]
    with log, subprocess.Popen(command, cwd=broker.directory, stdout=log, stderr=log) as process:
        try:
            local.wait_until_it_answers(process, broker)
            yield Kafka(f"127.0.0.1:{broker.port}")
        finally:
            process.kill()


def _local_kafka() -> Any:
    """Return the script that runs a local broker, as a module."""
    spec = importlib.util.spec_from_file_location("livepulse_kafka_local", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script
