"""What goes through livepulse: promises, events, decisions, screens."""

from deploy.grafana.layout import Row, gauge, number, quantiles, rate

PROMISES = Row(
    title=("Promises, over the last hour", "最近一小时的承诺"),
    panels=(
        number(
            ("Triggers within 2 s", "2 秒内发出的触发"),
            "percentunit",
            "1 - livepulse:slow_triggers:ratio_rate1h",
            good=0.99,
        ),
        number(
            ("Events applied", "已处理的事件"),
            "percentunit",
            "1 - livepulse:lost_events:ratio_rate1h",
            good=0.999,
        ),
        number(
            ("Final rows within 30 s", "30 秒内的最终行"),
            "percentunit",
            "1 - livepulse:late_rows:ratio_rate1h",
            good=0.99,
        ),
        number(
            ("Tasks that run", "运行中的任务"),
            "percentunit",
            "sum(livepulse_tasks) / max(livepulse_partitions)",
            good=1,
        ),
        number(("Redis answers", "Redis 可用"), "percentunit", "avg(livepulse_redis_up)", good=1),
        number(("Alerts", "告警"), "none", 'count(ALERTS{alertstate="firing"}) or vector(0)'),
    ),
)

FLOW = Row(
    title=("What flows", "数据流"),
    panels=(
        rate(
            ("Events a second, by type", "每秒事件数 · 按类型"),
            "ops",
            "livepulse_events_total",
            "type",
        ),
        rate(
            ("Results a second, by kind", "每秒结果数 · 按种类"),
            "ops",
            "livepulse_results_total",
            "kind",
        ),
        quantiles(("Event to trigger", "事件到触发的延迟"), "livepulse_event_to_trigger_seconds"),
        gauge(
            ("Records that wait, by topic", "待处理记录 · 按主题"),
            "short",
            ("sum by (topic) (livepulse_lag_records)", "{{topic}}"),
        ),
        rate(
            ("Dead letters a second, by reason", "每秒死信数 · 按原因"),
            "ops",
            "livepulse_dead_letters_total",
            "reason",
        ),
        gauge(
            ("Sessions and screens", "直播场次与屏幕"),
            "short",
            ("sum(livepulse_sessions)", "sessions"),
            ("sum(livepulse_screen_clients)", "screens"),
        ),
    ),
)

DECISIONS = Row(
    title=("What was decided", "决策"),
    panels=(
        rate(
            ("Coupons: sent, or why not", "优惠券 · 已发或未发原因"),
            "ops",
            "livepulse_decisions_total",
            "reason",
            where='{kind="coupon"}',
        ),
        rate(
            ("Recommendations: sent, or why not", "推荐 · 已发或未发原因"),
            "ops",
            "livepulse_decisions_total",
            "reason",
            where='{kind="recommendation"}',
        ),
        rate(
            ("Budget answers a second", "每秒预算答复"),
            "ops",
            "livepulse_budget_answers_total",
            "answer",
        ),
    ),
)

REDIS = Row(
    title=("Redis and screens", "Redis 与屏幕"),
    panels=(
        quantiles(("Duration of a call", "调用耗时"), "livepulse_redis_seconds", "call"),
        rate(
            ("Failed calls a second", "每秒失败调用"), "ops", "livepulse_redis_errors_total", "call"
        ),
        rate(
            ("View values dropped a second", "每秒丢弃的视图值"),
            "ops",
            "livepulse_view_values_dropped_total",
        ),
        gauge(
            ("Updates to screens a second", "每秒屏幕更新"),
            "ops",
            ("sum(rate(livepulse_screen_updates_total[$__rate_interval]))", "sent"),
            ("sum(rate(livepulse_screen_dropped_updates_total[$__rate_interval]))", "replaced"),
        ),
    ),
)
