"""What a step hands back: plain values, in the order in which they came about."""

from msgspec import Struct, field

from schemas.codec import Rejection
from schemas.results import (
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    Decision,
    RecommendationTrigger,
)
from streams.budget import Release
from streams.decide import Choice
from streams.records import Record
from streams.totals import Mark, WindowTotal


class Results(Struct):
    """The results of one or more steps, until they are committed."""

    coupons: list[CouponTrigger] = field(default_factory=list)
    recommendations: list[RecommendationTrigger] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    churn: list[ChurnRow] = field(default_factory=list)
    risks: list[ChurnRow] = field(default_factory=list)  # the same and what is newer, for views
    rows: list[ConversionRow] = field(default_factory=list)
    totals: list[WindowTotal] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    refused: list[tuple[Record, Rejection]] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)  # coupons that wait for their budget
    releases: list[Release] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)  # session, viewer
    erased: list[tuple[str, str]] = field(default_factory=list)  # session or "*", viewer
    duplicates: list[str] = field(default_factory=list)  # the types of events seen before
    unannounced: int = 0  # events of sessions that no SessionStarted has announced yet

    def add(self, other: "Results") -> None:
        """Append the results of a later step."""
        for name in self.__struct_fields__:
            mine = getattr(self, name)
            mine += getattr(other, name)
            setattr(self, name, mine)

    def is_empty(self) -> bool:
        """Tell whether there is nothing to publish."""
        return not any(getattr(self, name) for name in self.__struct_fields__)
