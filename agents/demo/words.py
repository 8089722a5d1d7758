"""Every text of the demo, in English and in Chinese."""

import os
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from schemas.results import Reason

Language = Literal["en", "zh"]


class Words(Struct, frozen=True, kw_only=True):
    """The texts in one language; ``reasons`` by reason code, with the weight as ``{0}``."""

    title: str
    starting: Mapping[str, str]
    open_screen: str
    screen_at: str
    history: str
    ending: str
    events_per_s: str
    viewers_now: str
    at_risk: str
    gmv: str
    latency: str
    measuring: str
    sessions: str
    now: str
    peak: str
    viewers: str
    paid_orders: str
    funnel: str
    steps: Mapping[str, str]
    triggers: str
    no_triggers: str
    coupon: str
    recommendation: str
    off: str
    may_leave: str
    leaving: str
    nobody: str
    more: str
    events: str
    duplicates: str
    dead_letters: str
    coupons: str
    recommendations: str
    suppressed: str
    embedded: str
    reasons: Mapping[str, str]


ENGLISH = Words(
    title="live-commerce sessions, understood while they run",
    starting={
        "broker": "starting the embedded broker",
        "redis": "starting Redis",
        "worker": "starting a worker (about 10 s)",
        "screen": "starting the host screen",
    },
    open_screen="the host screen, signed in with a token of the demo's own:",
    screen_at="host screen:",
    history="catching up with the first {0:.0f} s",
    ending="reading what is left",
    events_per_s="events/s",
    viewers_now="viewers now",
    at_risk="at risk of leaving",
    gmv="GMV",
    latency="event to trigger, p50/p99",
    measuring="measuring",
    sessions="Sessions",
    now="now",
    peak="peak",
    viewers="viewers",
    paid_orders="paid",
    funnel="People, step by step",
    steps={
        "viewers": "viewers",
        "exposed": "saw a product",
        "clicked": "clicked",
        "carted": "cart",
        "ordered": "ordered",
        "paid": "paid",
    },
    triggers="Last triggers",
    no_triggers="none yet",
    coupon="coupon",
    recommendation="show",
    off="{0} off",
    may_leave="may leave",
    leaving="Most likely to leave within a minute",
    nobody="nobody",
    more="and {0} more",
    events="events",
    duplicates="repeats",
    dead_letters="dead letters",
    coupons="coupons",
    recommendations="recommendations",
    suppressed="held back",
    embedded=(
        "All on this machine: an embedded broker ({0} partitions a topic, the last {1} MB of each),"
        " Redis, a worker and simulated viewers. Ctrl-C ends it, and all of it is forgotten."
    ),
    reasons={
        "cart_age_s": "in the cart for {0:.0f} s",
        "ordered": "has just ordered",
        "removed_from_cart": "took something out of the cart",
        "sold_out": "sold out while in the cart",
        "clicks_without_cart": "{0:.0f} clicks, no cart",
        "idle": "has stopped acting",
        "just_acted": "has just acted",
        "silent": "sends no sign of life",
        "in_touch": "is in touch",
        "newcomer": "has only just come",
        "settled": "has stayed for long",
        "few_acts": "does little",
        "lively": "is lively",
        "no_cart": "has no cart",
        "open_cart": "has a cart",
        "old_cart": "the cart grows old",
        "fresh_cart": "the cart is fresh",
        "room_leaving": "others are leaving",
        "room_staying": "others are staying",
    },
)

CHINESE = Words(
    title="直播带货，边播边懂",  # noqa: RUF001 - Chinese punctuation
    starting={
        "broker": "正在启动内置消息代理",
        "redis": "正在启动 Redis",
        "worker": "正在启动处理进程（约 10 秒）",  # noqa: RUF001 - Chinese punctuation
        "screen": "正在启动主播大屏",
    },
    open_screen="主播大屏（已用演示专用令牌登录）：",  # noqa: RUF001 - Chinese punctuation
    screen_at="主播大屏：",  # noqa: RUF001 - Chinese punctuation
    history="正在追赶开播后的前 {0:.0f} 秒",
    ending="正在读完剩余事件",
    events_per_s="事件/秒",
    viewers_now="在线观众",
    at_risk="可能流失",
    gmv="成交额",
    latency="事件到触发 p50/p99",
    measuring="测量中",
    sessions="直播间",
    now="在线",
    peak="峰值",
    viewers="观众",
    paid_orders="支付",
    funnel="人数漏斗",
    steps={
        "viewers": "观众",
        "exposed": "看到商品",
        "clicked": "点击",
        "carted": "加购",
        "ordered": "下单",
        "paid": "支付",
    },
    triggers="最近的触发",
    no_triggers="暂无",
    coupon="优惠券",
    recommendation="推荐",
    off="减 {0}",
    may_leave="可能离开",
    leaving="一分钟内最可能离开的观众",
    nobody="无",
    more="另有 {0} 件",
    events="事件",
    duplicates="重复",
    dead_letters="死信",
    coupons="优惠券",
    recommendations="推荐",
    suppressed="考虑后未发",
    embedded=(
        "全部在本机：内置消息代理（每个主题 {0} 个分区，各保留最近 {1} MB）、Redis、处理进程和"  # noqa: RUF001 - Chinese punctuation
        "模拟观众。按 Ctrl-C 结束，不保留任何数据。"  # noqa: RUF001 - Chinese punctuation
    ),
    reasons={
        "cart_age_s": "已加购 {0:.0f} 秒",
        "ordered": "刚刚下单",
        "removed_from_cart": "刚移出购物车",
        "sold_out": "购物车中的商品已售罄",
        "clicks_without_cart": "点击 {0:.0f} 次未加购",
        "idle": "不再互动",
        "just_acted": "刚刚互动",
        "silent": "没有心跳",
        "in_touch": "保持连接",
        "newcomer": "刚进入直播间",
        "settled": "停留已久",
        "few_acts": "互动少",
        "lively": "很活跃",
        "no_cart": "没有加购",
        "open_cart": "有加购",
        "old_cart": "加购已久",
        "fresh_cart": "刚加购",
        "room_leaving": "其他观众在离开",
        "room_staying": "其他观众在停留",
    },
)

WORDS: dict[Language, Words] = {"en": ENGLISH, "zh": CHINESE}


def language() -> Language:
    """Return the language of the user's terminal, English unless it is Chinese."""
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "zh" if next(filter(None, names), "").startswith("zh") else "en"


def why(words: Words, reasons: Iterable[Reason]) -> str:
    """Return in plain words what spoke for it; an unknown code stays a code."""
    return ", ".join(
        words.reasons.get(reason.code, reason.code).format(reason.weight)
        for reason in reasons
        if reason.weight > 0
    )


def title_in(text: str, lang: Language) -> str:
    """Return the half of a simulated title that is in this language.

    The simulator writes ``中文 English``, or English alone.
    """
    first, _, rest = text.partition(" ")
    if first.isascii() or not rest:
        return text
    return first if lang == "zh" else rest


def amount(minor: int, currency: str | None) -> str:
    """Return money as people write it; ``minor`` are cents or fen."""
    sign = {"CNY": "¥", "USD": "$"}.get(currency or "", f"{currency or ''} ")
    return f"{sign}{minor / 100:,.2f}"
