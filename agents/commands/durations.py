"""Durations as people type them."""

import re

import typer

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def seconds(duration: str, option: str) -> float:
    """Return the seconds of an option's duration such as 90s, 12h or 7d. Raises BadParameter."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", duration.strip())
    if match is None or float(match[1]) == 0:
        raise typer.BadParameter(
            f"{duration!r} is no duration: give a number and s, m, h, d or w, such as 7d",
            param_hint=option,
        )
    return float(match[1]) * _SECONDS[match[2]]
