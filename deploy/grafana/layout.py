"""Rows of panels, and how Grafana wants them. A panel is a title, a unit and PromQL."""

from dataclasses import dataclass
from typing import Any

LANGUAGES = ("en", "zh")
_COLUMNS, _HEIGHT = 24, 8
_SOURCE = {"type": "prometheus", "uid": "${source}"}

#: A text in English and in Chinese.
Text = tuple[str, str]
#: An expression and the legend of its series, in Grafana's template language.
Query = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One diagram; ``good`` turns a single number green from there on, else red."""

    title: Text
    unit: str
    queries: tuple[Query, ...]
    width: int = 8
    number: bool = False
    stacked: bool = False
    good: float | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """Panels under one headline."""

    title: Text
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One page; ``name`` is its file and its address."""

    name: str
    title: Text
    rows: tuple[Row, ...]


def number(title: Text, unit: str, expr: str, *, good: float | None = None) -> Panel:
    """Return a panel with one large number."""
    return Panel(title=title, unit=unit, queries=((expr, ""),), width=4, number=True, good=good)


def quantiles(title: Text, histogram: str, *by: str) -> Panel:
    """Return the median and the 99th percentile of a histogram of seconds."""
    labels, buckets = ", ".join(("le", *by)), f"{histogram}_bucket"
    legend = "".join(f" {{{{{label}}}}}" for label in by)
    queries = tuple(
        (
            f"histogram_quantile({q}, sum by ({labels}) (rate({buckets}[$__rate_interval])))",
            f"p{q * 100:g}{legend}",
        )
        for q in (0.5, 0.99)
    )
    return Panel(title=title, unit="s", queries=queries)


def rate(title: Text, unit: str, counter: str, by: str = "", *, where: str = "") -> Panel:
    """Return a counter's rate, stacked by a label where one is given."""
    over = f" by ({by})" if by else ""
    expr = f"sum{over} (rate({counter}{where}[$__rate_interval]))"
    legend = f"{{{{{by}}}}}" if by else ""
    return Panel(title=title, unit=unit, queries=((expr, legend),), stacked=bool(by))


def gauge(title: Text, unit: str, *queries: Query) -> Panel:
    """Return plain expressions."""
    return Panel(title=title, unit=unit, queries=queries)


def document(dashboard: Dashboard, language: str) -> dict[str, Any]:
    """Return a dashboard as Grafana imports it."""
    return {
        "uid": f"{dashboard.name}-{language}",
        "title": _in(dashboard.title, language),
        "tags": ["livepulse", language],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": _panels(dashboard.rows, language),
    }


def _in(text: Text, language: str) -> str:
    return text[LANGUAGES.index(language)]


def _panels(rows: tuple[Row, ...], language: str) -> list[dict[str, Any]]:
    """Lay the panels out from left to right, each row under its headline."""
    panels: list[dict[str, Any]] = []
    y = 0
    for row in rows:
        place = {"x": 0, "y": y, "w": _COLUMNS, "h": 1}
        panels.append({"type": "row", "title": _in(row.title, language), "gridPos": place})
        x, y = 0, y + 1
        for panel in row.panels:
            if x + panel.width > _COLUMNS:
                x, y = 0, y + _HEIGHT
            place = {"x": x, "y": y, "w": panel.width, "h": _HEIGHT}
            panels.append(_panel(panel, language) | {"gridPos": place})
            x += panel.width
        y += _HEIGHT
    return [panel | {"id": number} for number, panel in enumerate(panels, start=1)]


def _panel(panel: Panel, language: str) -> dict[str, Any]:
    return {
        "type": "stat" if panel.number else "timeseries",
        "title": _in(panel.title, language),
        "datasource": _SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + i),
                "datasource": _SOURCE,
                "expr": expr,
                "legendFormat": legend,
            }
            for i, (expr, legend) in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.stacked:
        defaults["custom"] = {"stacking": {"mode": "normal"}, "fillOpacity": 30}
    if panel.good is not None:
        steps = [{"color": "red", "value": None}, {"color": "green", "value": panel.good}]
        defaults |= {"decimals": 2, "thresholds": {"mode": "absolute", "steps": steps}}
    return defaults
