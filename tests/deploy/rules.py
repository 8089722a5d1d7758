"""The rules as Prometheus reads them."""

from typing import Any

from tests.deploy.tools import DEPLOY, document

FILES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yaml"))
TESTS = sorted((DEPLOY / "prometheus" / "tests").glob("*.yaml"))


def rules() -> list[dict[str, Any]]:
    """Return every rule, of recordings and of alerts."""
    groups = [group for file in FILES for group in document(file)["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Return the rules that raise alerts; one alert may have several."""
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> set[str]:
    """Return the names that recordings make."""
    return {rule["record"] for rule in rules() if "record" in rule}
