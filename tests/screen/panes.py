"""The panes of scripted sessions: waves and bursts that add up to what a snapshot says."""

from itertools import accumulate, pairwise
from math import sin
from typing import Any

Json = dict[str, Any]

PANE = 10_000
#: The evening on which all scripted sessions run.
NOW = 1_790_000_000_000
#: Who came in over the whole busy session, and over its last 5 min.
VIEWS, VIEWS_5M = 9_735, 1_143


def panes(snapshot: Json) -> list[Json]:
    """Return the panes of a session up to now, which add up to what its snapshot says.

    There are none of a session in which nothing happened.
    """
    session, money = snapshot["session"], snapshot["money"]
    if session["viewers"] == 0:
        return []
    starts = range(session["started"] // PANE * PANE, session["ended"] or NOW, PANE)
    rows = [pane(i, at, factor=session["peak"] / 1_530) for i, at in enumerate(starts)]
    _fit_viewers(rows, peak=session["peak"], last=session["viewers_now"])
    for key, of in (("orders", "orders"), ("gmv_gross", "orders"), ("gmv_net", "gmv_gross")):
        _fit(rows, key, of, money[key]["value"], money[key]["last_5m"])
    carted = round(1.2 * snapshot["funnel"][3]["people"])
    _fit(rows, "carts", "carts", carted, carted * 30 // max(len(rows), 30))
    _fit_visits(rows, views=money["watch_gpm"]["of"])
    for row in rows[-2:]:
        row["status"] = "provisional"
    for row in rows[40:60:9]:
        row |= {"status": "correction", "revision": 8}
    return rows


def _fit_viewers(rows: list[Json], *, peak: int, last: int) -> None:
    """Bend the curve of viewers so that its highest and its last pane are these."""
    highest = max(row["viewers"] for row in rows)
    for row in rows:
        row["viewers"] = round(peak * row["viewers"] / highest)
    if last == 0:  # the broadcast is over
        rows[-1]["viewers"] = 0
        return
    missing = last - rows[-1]["viewers"]
    for i, row in enumerate(rows, start=1):
        bent = row["viewers"] + missing * (i / len(rows)) ** 8
        row["viewers"] = min(round(bent), peak)


def _fit(rows: list[Json], key: str, like: str, whole: int, lately: int) -> None:
    """Make the panes add up to ``whole``, and the last 5 min of them to ``lately``."""
    for some, total in ((rows[:-30], whole - lately), (rows[-30:], lately)):
        for row, part in zip(some, shared(total, [row[like] for row in some]), strict=True):
            row[key] = part


def shared(total: int, weights: list[int]) -> list[int]:
    """Return whole parts of the total by weight; by none at all, equal ones."""
    if not any(weights):
        weights = [1] * len(weights)
    ends = [0, *accumulate(weights)]
    return [round(total * b / ends[-1]) - round(total * a / ends[-1]) for a, b in pairwise(ends)]


def _fit_visits(rows: list[Json], *, views: int) -> None:
    """Let as many come and go as the curve of viewers says, and ``views`` come in all."""
    counts = [0, *(row["viewers"] for row in rows)]
    grown = [after - before for before, after in pairwise(counts)]
    more = [max(by, 0) for by in grown]
    lately = VIEWS_5M * views // VIEWS if len(rows) > 30 else views
    _fit(rows, "left", "entered", views - sum(more), lately - sum(more[-30:]))
    for row, by in zip(rows, grown, strict=True):
        row["entered"] = row["left"] + max(by, 0)
        row["left"] += max(-by, 0)


def pane(i: int, start: int, *, factor: float = 1.0) -> Json:
    """Return a pane with a wave of viewers and bursts of everything else."""
    wave = 1 - 1 / (1 + i / 25) + 0.1 * sin(i / 29) + 0.05 * sin(i / 7.3) + 0.01 * _noise(i, 1)
    burst = max(0.0, sin(i / 17) + 0.4 * sin(i / 5)) ** 4

    def count(base: float, more: float, salt: int) -> int:
        return round(factor * wave * (base + more * burst) * (1 + 0.8 * _noise(i, salt)))

    orders = count(1.4, 2.5, 2)
    return {
        "start": start,
        "status": "final",
        "revision": 3,
        "viewers": round(1_400 * wave * factor),
        "entered": count(24, 30, 3),
        "left": count(18, 12, 4),
        "likes": count(180, 350, 5),
        "comments": count(16, 20, 6),
        "carts": count(4, 7, 7),
        "orders": orders,
        "gmv_gross": orders * 30_100,
        "gmv_net": orders * 29_500,
    }


def _noise(i: int, salt: int) -> float:
    """Return the same "random" number from -1 to 1 for the same arguments."""
    mixed = (i * 374_761_393 + salt * 668_265_263) % 2**32
    mixed = (mixed ^ mixed >> 13) * 1_274_126_177 % 2**32
    return (mixed ^ mixed >> 16) / 2**31 - 1
