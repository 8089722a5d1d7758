"""The embedded broker: librdkafka's mock cluster, in a process of its own.

It speaks the Kafka protocol and needs nothing installed, but it is no Kafka: it gives every
topic 4 partitions, keeps about 5 MB of each, writes transaction markers without a checksum,
and forgets everything when it ends. Usage: python -m agents.demo.broker TOPIC...
"""

import sys

from confluent_kafka import Producer

PARTITIONS = 4
KEPT_MB = 5
_READY = "broker at "


def command(topics: list[str]) -> list[str]:
    """Return the command that runs a broker with these topics."""
    return [sys.executable, "-m", "agents.demo.broker", *topics]


def address(log: str) -> str | None:
    """Return the broker's address from what it has printed, None while it is not ready."""
    lines = (line.removeprefix(_READY) for line in log.splitlines() if line.startswith(_READY))
    return next(lines, None)


def main(topics: list[str]) -> None:
    """Serve until the process is ended."""
    config = {"bootstrap.servers": "embedded", "test.mock.num.brokers": 1, "log_level": 3}
    mock = Producer(config)
    for topic in topics:
        mock.list_topics(topic, timeout=10)  # asking for a topic makes it
    broker = next(iter(mock.list_topics(timeout=10).brokers.values()))
    sys.stdout.write(f"{_READY}{broker.host}:{broker.port}\n")
    sys.stdout.flush()
    while True:
        mock.poll(1.0)


if __name__ == "__main__":
    main(sys.argv[1:])
