#!/usr/bin/env python3
"""Runs one of Kafka's own tools, which its distribution has as shell scripts in ``bin``.

As ``tool.py kafka-topics.sh --bootstrap-server 127.0.0.1:9092 --list``.
"""

import os
import sys

from kafka import java

TOOLS = {
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-get-offsets.sh": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-transactions.sh": "org.apache.kafka.tools.TransactionsCommand",
}


def main() -> None:
    """Become the tool that the first argument names."""
    name, *arguments = sys.argv[1:] or [""]
    if name not in TOOLS:
        sys.exit(f"there is no tool {name!r}; there are: {', '.join(TOOLS)}")
    command = java(TOOLS[name], *arguments)
    os.execv(command[0], command)  # noqa: S606 - a program from needed()


if __name__ == "__main__":
    main()
