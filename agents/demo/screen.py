"""The demo on a terminal: one calm page, drawn anew every second."""

from datetime import datetime

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.style import Style
from rich.table import Table
from rich.text import Text

from agents.demo.broker import KEPT_MB, PARTITIONS
from agents.demo.lines import clock, gmv, latency, viewers_now
from agents.demo.load import WARM_UP_S
from agents.demo.observer import AnyTrigger
from agents.demo.run import Demo
from agents.demo.words import WORDS, Language, amount, title_in, why
from schemas.results import ChurnRow, CouponTrigger

SESSIONS_SHOWN = 6
RISKS_SHOWN = 3
#: Lines that are always there: header, numbers, headings, footer and the gaps between.
_FIXED_LINES = 18
_FEW_TRIGGERS = 3
_NAMES_SHOWN = 2


class Screen:
    """Draws a demo in one language; colours are the terminal's own, so light and dark both do.

    ``link`` is where the host screen is, with the token behind a #; terminals make it a link.
    """

    def __init__(self, lang: Language, *, link: str = "") -> None:
        self._lang = lang
        self._link = link
        self._words = WORDS[lang]

    def page(self, demo: Demo, *, elapsed_s: float, height: int, ending: bool = False) -> Group:
        """Return the whole page for a terminal of so many lines."""
        top = max(min(len(demo.observer.sessions), SESSIONS_SHOWN) + 1, len(self._words.steps))
        address = self._address()
        triggers = max(height - _FIXED_LINES - len(address) - top, _FEW_TRIGGERS)
        return Group(
            self._header(demo, elapsed_s, ending=ending),
            *address,
            Text(),
            self._numbers(demo),
            Text(),
            self._sessions_and_funnel(demo),
            Text(),
            Rule(self._words.triggers, align="left", style="dim"),
            self._triggers(demo, triggers),
            Text(),
            Rule(self._words.leaving, align="left", style="dim"),
            self._risks(demo),
            Text(),
            self._footer(demo),
        )

    def _address(self) -> list[RenderableType]:
        if not self._link:
            return []
        address = Text(self._link.partition("login#")[0], style=Style(link=self._link))
        return [Text.assemble((self._words.screen_at + " ", "dim"), address, no_wrap=True)]

    def _header(self, demo: Demo, elapsed_s: float, *, ending: bool) -> Table:
        words = self._words
        state = "" if demo.is_live else words.history.format(WARM_UP_S)
        if ending:
            state = words.ending
        row = Table.grid(expand=True)
        row.add_column(no_wrap=True)
        row.add_column(justify="right", no_wrap=True)
        name = Text.assemble(("livepulse", "bold cyan"), "  ", words.title)
        row.add_row(name, Text.assemble((state, "magenta"), "  ", clock(elapsed_s)))
        return row

    def _numbers(self, demo: Demo) -> Table:
        words = self._words
        shown = {
            words.events_per_s: f"{demo.events_per_s:,.0f}",
            words.viewers_now: f"{viewers_now(demo):,}",
            words.at_risk: f"{demo.at_risk:,}",
            words.gmv: gmv(demo),
            words.latency: latency(demo, words),
        }
        row = Table.grid(expand=True, padding=(0, 1))
        for ratio in (2, 3, 4, 4, 5):  # fixed, so that nothing moves when numbers grow
            row.add_column(ratio=ratio, no_wrap=True)
        row.add_row(*(Text(value, style="bold") for value in shown.values()))
        row.add_row(*(Text(name, style="dim") for name in shown))
        return row

    def _sessions_and_funnel(self, demo: Demo) -> Table:
        row = Table.grid(expand=True, padding=(0, 2))
        row.add_column(ratio=3)
        row.add_column(ratio=2)
        row.add_row(
            Rule(self._words.sessions, align="left", style="dim"),
            Rule(self._words.funnel, align="left", style="dim"),
        )
        row.add_row(self._sessions(demo), self._funnel(demo))
        return row

    def _sessions(self, demo: Demo) -> Table:
        words = self._words
        table = Table.grid(expand=True, padding=(0, 1))
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        heads = (words.now, words.peak, words.viewers, words.paid_orders, words.gmv)
        for width in (5, 5, 7, 4, 11):
            table.add_column(justify="right", no_wrap=True, min_width=width)
        table.add_row("", *(Text(head, style="dim") for head in heads))
        rows = demo.observer.sessions.values()
        for row in sorted(rows, key=lambda r: (-(r.present or 0), r.session_id))[:SESSIONS_SHOWN]:
            table.add_row(
                Text(title_in(demo.titles.get(row.session_id, row.session_id), self._lang)),
                Text(f"{row.present or 0:,}", style="bold"),
                f"{row.peak_present or 0:,}",
                f"{row.people['viewers']:,}",
                f"{row.counts.get('OrderPaid', 0):,}",
                amount(row.money["gmv_gross"], row.currency),
            )
        return table

    def _funnel(self, demo: Demo) -> Table:
        rows = list(demo.observer.sessions.values())
        people = {step: sum(row.people[step] for row in rows) for step in self._words.steps}
        table = Table.grid(expand=True, padding=(0, 1))
        viewers = max(people["viewers"], 1)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True, min_width=6)
        table.add_column(justify="right", no_wrap=True, min_width=6)
        table.add_column(ratio=1)
        for step, count in people.items():
            table.add_row(
                self._words.steps[step],
                Text(f"{count:,}", style="bold"),
                Text(f"{count / viewers:.1%}", style="dim"),
                Bar(viewers, 0, count, color="cyan"),
            )
        return table

    def _triggers(self, demo: Demo, lines: int) -> RenderableType:
        newest = demo.observer.newest(lines)
        if not newest:
            return _padded([Text(self._words.no_triggers, style="dim")], lines)
        table = Table.grid(expand=True, padding=(0, 1))
        for ratio in (None, None, None, 3, 2):
            table.add_column(ratio=ratio, no_wrap=True, overflow="ellipsis")
        for trigger in newest:
            is_coupon = isinstance(trigger, CouponTrigger)
            kind = self._words.coupon if is_coupon else self._words.recommendation
            table.add_row(
                Text(_time_of_day(trigger.decided_at), style="dim"),
                Text(kind, style="bold magenta" if is_coupon else "bold cyan"),
                trigger.viewer_id,
                self._what(demo, trigger),
                Text(self._why(trigger), style="dim"),
            )
        return _padded([table], lines - len(newest) + 1)

    def _what(self, demo: Demo, trigger: AnyTrigger) -> str:
        if isinstance(trigger, CouponTrigger):
            off = self._words.off.format(amount(trigger.discount, trigger.currency))
            return f"{off}: {self._names(demo, trigger.products)}"
        return self._names(demo, tuple(s.product_id for s in trigger.suggestions))

    def _names(self, demo: Demo, products: tuple[str, ...]) -> str:
        titles = demo.observer.titles
        names = [title_in(titles.get(p, p), self._lang) for p in products[:_NAMES_SHOWN]]
        if len(products) > _NAMES_SHOWN:
            names.append(self._words.more.format(len(products) - _NAMES_SHOWN))
        return ", ".join(names)

    def _why(self, trigger: AnyTrigger) -> str:
        reasons = why(self._words, trigger.reasons)
        return f"{self._words.may_leave}: {reasons}" if trigger.rule == "at_risk" else reasons

    def _risks(self, demo: Demo) -> Group:
        likely = sorted(demo.risks, key=lambda row: (-row.probability, row.viewer_id))
        lines: list[RenderableType] = [self._risk(row) for row in likely[:RISKS_SHOWN]]
        return _padded(lines or [Text(self._words.nobody, style="dim")], RISKS_SHOWN)

    def _risk(self, row: ChurnRow) -> Text:
        return Text.assemble(
            (f"{row.probability:4.0%}", "bold"), f"  {row.viewer_id}  ",
            (why(self._words, row.reasons), "dim"), no_wrap=True, overflow="ellipsis",
        )  # fmt: skip

    def _footer(self, demo: Demo) -> Group:
        words, counts = self._words, demo.observer.counts
        shown = {
            words.events: demo.numbers.events.total(),
            words.coupons: counts["CouponTrigger"],
            words.recommendations: counts["RecommendationTrigger"],
            words.suppressed: demo.observer.suppressed,
            words.duplicates: demo.numbers.duplicates,
            words.dead_letters: counts["DeadLetter"],
        }
        totals = Text(no_wrap=True, overflow="ellipsis")
        for name, count in shown.items():
            totals.append(f"{count:,} ", style="bold").append(f"{name}  ", style="dim")
        note = Text(words.embedded.format(PARTITIONS, KEPT_MB), style="dim")
        return Group(Rule(style="dim"), totals, note)


def _padded(lines: list[RenderableType], height: int) -> Group:
    """Fill up with empty lines, so that nothing below moves."""
    return Group(*lines, *(Text() for _ in range(height - len(lines))))


def _time_of_day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000).astimezone().strftime("%H:%M:%S")
