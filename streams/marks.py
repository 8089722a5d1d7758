"""How far the tasks have come, as a merging task hears it: watermark and cadence."""

from msgspec import Struct, field

from streams.totals import Mark


class Marks(Struct, array_like=True):
    """The newest mark of every task, out of ``partitions`` that there must be."""

    partitions: int
    newest: dict[int, int | None] = field(default_factory=dict)
    shown: tuple[int, int] | None = None  # hindmost and foremost mark at the last publication
    forgotten: int = 0  # all before this pane is forgotten

    def hear(self, mark: Mark) -> None:
        """Take a task's newest mark in place of the one before it."""
        self.check(mark.partition)
        self.newest[mark.partition] = mark.watermark

    def check(self, partition: int) -> None:
        """Raise ValueError when there can be no such partition."""
        if not 0 <= partition < self.partitions:
            raise ValueError(
                f"partition {partition} does not exist: this task merges {self.partitions}; "
                "start every worker with the number of partitions that the topics have"
            )

    @property
    def watermark(self) -> int | None:
        """The lowest mark; None while a task was never heard of, or when none has an event."""
        if len(self.newest) < self.partitions:
            return None
        return min((m for m in self.newest.values() if m is not None), default=None)

    def is_due(self, every_ms: int) -> bool:
        """Tell whether time went ``every_ms`` further since the last publication.

        The foremost task or the hindmost will do: neither one that lags, or was never heard
        of, nor one whose clock runs ahead may freeze what is shown.
        """
        if self.shown is None:
            return True
        return any(
            now >= then + every_ms for now, then in zip(self._ends(), self.shown, strict=False)
        )

    def show(self) -> None:
        """Note that a publication happens now."""
        self.shown = self._ends() or (0, 0)

    def _ends(self) -> tuple[int, int] | tuple[()]:
        marks = [m for m in self.newest.values() if m is not None]
        return (min(marks), max(marks)) if marks else ()

    def replaced(self, restored: "Marks") -> "Marks":
        """Return the restored marks; raises ValueError when they are of other tasks."""
        if restored.partitions != self.partitions:
            raise ValueError(
                f"the changelog is of {restored.partitions} partitions, this task merges "
                f"{self.partitions}: keep the number, or begin with new topics"
            )
        return restored
