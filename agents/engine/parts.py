"""What the tasks of one worker share."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agents.engine.budget import RedisBudget
from agents.engine.host_log import HostLog
from agents.engine.lane import LaneConsumer
from agents.metrics.meters import Meters
from agents.settings import Settings
from agents.views.batch import SessionView
from agents.views.glances import Glances
from agents.views.writer import Views
from schemas.codec import BatchDecoder
from schemas.results import ConversionRow
from streams.results import Results
from streams.store import State

if TYPE_CHECKING:  # an optional dependency
    from opentelemetry.trace import Tracer


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The worker's connections and the names of its topics."""

    settings: Settings
    partitions: int
    viewer_topics: tuple[str, ...]
    host_topic: str
    totals_topic: str
    decoders: dict[str, BatchDecoder]
    lane: LaneConsumer
    host_log: HostLog
    budget: RedisBudget
    views: Views
    meters: Meters
    glances: Glances = field(default_factory=Glances)
    tracer: "Tracer | None" = None

    def show(self, results: Results, state: State) -> None:
        """Offer committed results to the views; never waits."""
        self.views.offer(
            conversion=results.rows,
            churn=results.risks,
            triggers=[*results.coupons, *results.recommendations],
            left=results.left,
            sessions=session_views(results.rows, state),
        )
        self.views.erase(results.erased)
        self.glances.show(state, self.views)


def session_views(rows: Iterable[ConversionRow], state: State) -> list[SessionView]:
    """Return what a list of sessions shows, for the sessions that have a new row."""
    shown = []
    for row in rows:
        if row.scope == "session" and row.window == "session":
            session = state.sessions.get(row.session_id)
            shown.append(
                SessionView(
                    session_id=row.session_id,
                    announced=row.announced,
                    title=session.shelf.title if session else "",
                    present=row.present or 0,
                    watermark_ms=state.conversion.watermark or row.end,
                    currency=row.currency,
                )
            )
    return shown
