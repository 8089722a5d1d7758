"""The demo in single lines: for logs and pipes, and as a summary at the end."""

from collections import Counter

from agents.demo.run import Demo
from agents.demo.words import Words, amount


def clock(seconds: float) -> str:
    """Return minutes and seconds."""
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"


def gmv(demo: Demo) -> str:
    """Return the money that was paid, by currency."""
    sums: Counter[str | None] = Counter()
    for row in demo.observer.sessions.values():
        sums[row.currency] += row.money["gmv_gross"]
    return " + ".join(amount(total, currency) for currency, total in sums.items()) or "0"


def viewers_now(demo: Demo) -> int:
    """Return how many are watching, in all sessions together."""
    return sum(row.present or 0 for row in demo.observer.sessions.values())


def latency(demo: Demo, words: Words) -> str:
    """Return p50 and p99 of the time from an event to its trigger."""
    shares = [demo.quantile_ms(share) for share in (0.50, 0.99)]
    if None in shares:
        return words.measuring
    return " / ".join(f"{share:,.0f} ms" for share in shares)


def status(demo: Demo, words: Words, *, elapsed_s: float) -> str:
    """Return where the demo stands, in one line."""
    counts = demo.observer.counts
    return "  ".join(
        [
            clock(elapsed_s),
            f"{demo.events_per_s:,.0f} {words.events_per_s}",
            f"{words.viewers_now} {viewers_now(demo):,}",
            f"{words.gmv} {gmv(demo)}",
            f"{words.coupons} {counts['CouponTrigger']:,}",
            f"{words.recommendations} {counts['RecommendationTrigger']:,}",
            f"{words.at_risk} {demo.at_risk:,}",
            f"{words.latency} {latency(demo, words)}",
        ]
    )


def summary(demo: Demo, words: Words) -> str:
    """Return what came of it all, in two lines."""
    counts, numbers = demo.observer.counts, demo.numbers
    came_in = {
        words.events: numbers.events.total(),
        words.duplicates: numbers.duplicates,
        words.dead_letters: counts["DeadLetter"],
    }
    went_out = {
        words.coupons: counts["CouponTrigger"],
        words.recommendations: counts["RecommendationTrigger"],
        words.suppressed: demo.observer.suppressed,
    }
    lines = [
        "  ".join(f"{name} {count:,}" for name, count in line.items())
        for line in (came_in, went_out)
    ]
    return "\n".join([*lines, f"{words.gmv} {gmv(demo)}  {words.latency} {latency(demo, words)}"])
