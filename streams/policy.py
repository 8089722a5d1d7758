"""Every threshold of the decisions, with its default; one frozen value that the core is given.

Sources of the defaults: gaps and caps as in-app messaging products ship them (one per 30 s),
grace and bound from the practice of event-time engines (Flink's bounded out-of-orderness).
"""

from msgspec import Struct


class Policy(Struct, frozen=True, kw_only=True):
    """When to act and how often. Times are milliseconds of stream time."""

    version: str = "2026-11-1"

    # time
    watermark_bound_ms: int = 2_000
    idle_ms: int = 5_000
    grace_ms: int = 10_000
    future_limit_ms: int = 30_000
    past_limit_ms: int = 24 * 3_600_000
    silence_ms: int = 60_000
    publish_every_ms: int = 1_000

    # churn risk
    churn_on: float = 0.60
    churn_off: float = 0.45
    churn_dwell_ms: int = 10_000
    churn_refresh_ms: int = 5_000

    # coupons
    cart_age_ms: int = 30_000
    coupons_per_session: int = 2
    coupon_gap_ms: int = 30_000
    coupon_ttl_ms: int = 120_000

    # recommendations
    hesitation_clicks: int = 2
    recommendations_per_window: int = 6
    recommendation_window_ms: int = 600_000
    recommendation_ttl_ms: int = 60_000
    suggestions: int = 4
    best_seller_ms: int = 300_000
