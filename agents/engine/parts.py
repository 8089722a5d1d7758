"""What the tasks of one worker share."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from time import time_ns
from typing import TYPE_CHECKING

from agents.engine.budget import RedisBudget
from agents.engine.host_log import HostLog
from agents.engine.lane import LaneConsumer
from agents.metrics.meters import Meters
from agents.settings import Settings
from agents.views.batch import SessionView
from agents.views.glances import Glances
from agents.views.keys import ANSWERS_SURE_MS
from agents.views.writer import Views
from schemas.codec import BatchDecoder
from schemas.results import ChurnRow, ConversionRow
from streams import churn, decide
from streams.budget import Reservation
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
            churn=results.churn,
            triggers=[*results.coupons, *results.recommendations],
            left=results.left,
            sessions=session_views(results.rows, state),
        )
        self.views.erase(results.erased)
        self.glances.show(state, self.views)

    def show_again(self, state: State) -> None:
        """Offer everything that a task's state knows: Redis has lost it, or never had it."""
        rows = list(state.conversion.published())
        at_risk: list[ChurnRow] = []
        promised: list[Reservation] = []
        since = time_ns() // 1_000_000 - ANSWERS_SURE_MS
        for session in state.sessions.values():
            for viewer_id, visit in session.visits.glance():
                promised += decide.promised(session.id, visit, since)
                if visit.present and visit.at_risk:
                    at_risk.append(
                        churn.row(
                            session.id, viewer_id, visit, session.room, visit.scored, churn.PRIOR
                        )
                    )
        self.budget.remind(promised)
        self.views.offer(conversion=rows, churn=at_risk, sessions=session_views(rows, state))
        self.glances.show_again(state, self.views)


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
