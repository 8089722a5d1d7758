"""``python -m deploy.prometheus.operator_rules``: the rules as an object for Prometheus' operator.

Writes deploy/k8s/monitoring/rules.yaml from deploy/prometheus/rules.
"""

from pathlib import Path

import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

RULES = Path(__file__).parent / "rules"
OBJECT = Path(__file__).parents[1] / "k8s" / "monitoring" / "rules.yaml"
_HEAD = "# Written by python -m deploy.prometheus.operator_rules from deploy/prometheus/rules.\n"


def document() -> str:
    """Return the object as YAML."""
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(RULES.iterdir())]
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "livepulse", "labels": {"app.kubernetes.io/part-of": "livepulse"}},
        "spec": {"groups": [group for file in files for group in file["groups"]]},
    }
    return _HEAD + str(yaml.dump(rule, Dumper=_Plain, sort_keys=False, width=100))


class _Plain(yaml.SafeDumper):  # type: ignore[misc]  # as above
    """Writes what is used twice out twice: people read it more easily."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        """Tell that nothing is to be an alias."""
        return True


if __name__ == "__main__":
    OBJECT.write_text(document(), encoding="utf-8")
