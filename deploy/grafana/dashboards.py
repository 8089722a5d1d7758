"""``python -m deploy.grafana.dashboards``: writes both dashboards, in English and in Chinese."""

import json
from pathlib import Path

from deploy.grafana.flow import DECISIONS, FLOW, PROMISES, REDIS
from deploy.grafana.inside import KAFKA, PROCESSES, TASKS, TIME
from deploy.grafana.layout import LANGUAGES, Dashboard, document

DIRECTORY = Path(__file__).parent / "dashboards"

DASHBOARDS = (
    Dashboard(
        name="livepulse-overview",
        title=("livepulse: overview", "livepulse · 总览"),
        rows=(PROMISES, FLOW),
    ),
    Dashboard(
        name="livepulse-deep-dive",
        title=("livepulse: deep dive", "livepulse · 深入"),
        rows=(KAFKA, TIME, TASKS, DECISIONS, REDIS, PROCESSES),
    ),
)


def documents() -> dict[str, str]:
    """Return file name -> content of every dashboard in every language."""
    return {
        f"{dashboard.name}.{language}.json": json.dumps(
            document(dashboard, language), ensure_ascii=False, indent=1
        )
        + "\n"
        for dashboard in DASHBOARDS
        for language in LANGUAGES
    }


if __name__ == "__main__":
    for name, content in documents().items():
        (DIRECTORY / name).write_text(content, encoding="utf-8")
