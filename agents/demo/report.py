"""The demo's numbers at its end, as one JSON object.

``events_in`` counts the events that were applied: neither repeats nor dead letters, an event
of the host once although every task applies it; ``events_by_type`` sums to it. ``viewers``
are distinct in their session. ``p50_ms`` and ``p99_ms`` run from a record's arrival to the
commit of the trigger that it made, after the history at the start.
"""

from typing import Any

from agents.demo.run import Demo


def report(demo: Demo) -> dict[str, Any]:
    """Return the counters; results are counted in the topics, the rest by the worker."""
    numbers, counts = demo.numbers, demo.observer.counts
    rows = demo.observer.sessions.values()
    return {
        "events_in": numbers.events.total(),
        "events_by_type": dict(sorted(numbers.events.items())),
        "duplicates": numbers.duplicates,
        "dead_letters": counts["DeadLetter"],
        "bad_records_injected": sum(demo.load.tally.bad.values()),
        "sessions": len(demo.observer.sessions),
        "viewers": sum(row.people["viewers"] for row in rows),
        "conversion_rows": counts["ConversionRow"],
        "churn_rows": counts["ChurnRow"],
        "coupons": counts["CouponTrigger"],
        "recommendations": counts["RecommendationTrigger"],
        "suppressed": demo.observer.suppressed,
        "p50_ms": demo.quantile_ms(0.50),
        "p99_ms": demo.quantile_ms(0.99),
    }
