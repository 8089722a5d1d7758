"""What goes on inside: Kafka, time, tasks and their state, processes."""

from deploy.grafana.layout import Row, gauge, quantiles, rate

TIME = Row(
    title=("Time", "时间"),
    panels=(
        gauge(
            ("Age of the watermark, by partition", "水位线延迟 · 按分区"),
            "s",
            ("time() - livepulse_watermark_timestamp_seconds", "{{partition}}"),
        ),
        quantiles(("Event-time lag", "事件时间延迟"), "livepulse_event_time_lag_seconds"),
        quantiles(
            ("Pane's end to its final row", "窗口结束到最终行"), "livepulse_final_row_delay_seconds"
        ),
        gauge(
            ("Age of the newest event, by topic", "最新事件距今 · 按主题"),
            "s",
            ("time() - max by (topic) (livepulse_last_event_timestamp_seconds)", "{{topic}}"),
        ),
        rate(("Late totals a second", "每秒迟到合计"), "ops", "livepulse_late_totals_total"),
        gauge(
            ("Timers that wait", "待触发定时器"),
            "short",
            ("sum by (instance) (livepulse_timers)", "{{instance}}"),
        ),
    ),
)

KAFKA = Row(
    title=("Kafka", "Kafka"),
    panels=(
        gauge(
            ("Lag of the ten worst partitions", "延迟最大的十个分区"),
            "short",
            ("topk(10, livepulse_lag_records)", "{{topic}} {{partition}}"),
        ),
        gauge(
            ("Produced and committed a second", "每秒写入与提交"),
            "ops",
            ("sum(deriv(livepulse_end_offset[5m]))", "produced"),
            ("sum(deriv(livepulse_committed_offset[5m]))", "committed"),
        ),
        quantiles(("Duration of a commit", "提交耗时"), "livepulse_commit_seconds"),
        rate(
            ("Records written a second", "每秒写入记录"), "ops", "livepulse_records_written_total"
        ),
        rate(("Bytes written a second", "每秒写入字节"), "Bps", "livepulse_bytes_written_total"),
        gauge(
            ("Age of the last commit, by partition", "上次提交距今 · 按分区"),
            "s",
            ("time() - livepulse_last_commit_timestamp_seconds", "{{partition}}"),
        ),
        gauge(
            ("Faults within an hour", "一小时内的故障"),
            "short",
            ("sum(increase(livepulse_transactions_aborted_total[1h]))", "aborted"),
            ("sum(increase(livepulse_producers_fenced_total[1h]))", "fenced"),
            ("sum(increase(livepulse_lost_records_total[1h]))", "lost"),
        ),
        gauge(
            ("Age of what the broker said last", "代理上次答复距今"),
            "s",
            ("time() - livepulse_offsets_timestamp_seconds", "{{instance}}"),
        ),
        rate(("Repeats a second", "每秒重复事件"), "ops", "livepulse_duplicates_total"),
    ),
)

TASKS = Row(
    title=("Tasks and state", "任务与状态"),
    panels=(
        gauge(
            ("Tasks, by worker", "任务 · 按工作进程"),
            "short",
            ("livepulse_tasks", "{{instance}}"),
            ("livepulse_tasks_starting", "{{instance}} starting"),
        ),
        quantiles(("Duration of a rebalance", "再均衡耗时"), "livepulse_rebalance_seconds"),
        gauge(
            ("Restore: left to read", "恢复 · 剩余记录"),
            "short",
            ("sum by (instance) (livepulse_restore_remaining_records)", "{{instance}}"),
        ),
        gauge(
            ("Last restore, by partition", "上次恢复 · 按分区"),
            "s",
            ("livepulse_restore_seconds", "{{partition}}"),
        ),
        gauge(
            ("Keys read back, by partition", "恢复的键 · 按分区"),
            "short",
            ("livepulse_restored_records", "{{partition}}"),
        ),
        gauge(
            ("Keys in memory, by kind", "内存中的键 · 按种类"),
            "short",
            ("sum by (kind) (livepulse_state_records)", "{{kind}}"),
        ),
        gauge(
            ("Bytes of state, by partition", "状态字节 · 按分区"),
            "bytes",
            ("livepulse_state_bytes", "{{partition}}"),
        ),
        rate(
            ("Events of unannounced sessions a second", "未宣布场次的每秒事件"),
            "ops",
            "livepulse_unannounced_events_total",
        ),
    ),
)

PROCESSES = Row(
    title=("Processes", "进程"),
    panels=(
        gauge(
            ("Busy cores", "CPU 核"),
            "short",
            ("rate(process_cpu_seconds_total[$__rate_interval])", "{{instance}}"),
        ),
        gauge(
            ("Resident memory", "常驻内存"),
            "bytes",
            ("process_resident_memory_bytes", "{{instance}}"),
        ),
        quantiles(
            ("Event-loop lag", "事件循环延迟"), "livepulse_event_loop_lag_seconds", "instance"
        ),
        gauge(
            ("Starts within an hour", "一小时内启动次数"),
            "short",
            ("changes(process_start_time_seconds[1h])", "{{instance}}"),
        ),
        gauge(
            ("Versions", "版本"),
            "short",
            ("count by (role, version) (livepulse_build_info)", "{{role}} {{version}}"),
        ),
        gauge(
            ("Days until certificates expire", "证书剩余天数"),
            "d",
            (
                "(livepulse_certificate_expiry_timestamp_seconds - time()) / 86400",
                "{{setting}}",
            ),
        ),
    ),
)
