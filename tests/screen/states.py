"""Sessions as a server would describe them, one builder per state that the page must bear.

Deterministic: the same state at the same time is always the same snapshot.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tests.screen.panes import NOW, VIEWS, VIEWS_5M, Json, panes, shared

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
STARTED = NOW - 52 * MINUTE

STEPS = ("viewers", "exposed", "clicked", "carted", "ordered", "paid")
PEOPLE = (8_412, 6_730, 2_140, 1_020, 655, 612)
#: What adds up over the whole session, and over its last 5 min. Money is minor units.
IMPRESSIONS, CLICKS, ORDERS, GROSS = 31_834, 3_358, 612, 18_432_050
IMPRESSIONS_5M, CLICKS_5M, ORDERS_5M, GROSS_5M = 3_664, 480, 71, 2_140_300
#: Pieces in stock by product, and sold in the last 5 min; the second is sold out.
STOCK = (240, 0, 12, 900, 1_200, 410, 88, 900, 60, 1_200, 75, None, 640, 36)
UNITS_5M = (28, 0, 14, 7, 5, 4, 4, 3, 3, 2, 2, 0, 2, 2)
FACTORS = ("enter_rate", "click_rate", "click_to_order", "order_value")
NAMES = (
    "Vitamin C serum", "Classic lipstick, ruby", "Hydrating face mask", "Mineral sunscreen",
    "Down jacket", "Earbuds, second edition", "Nut gift box", "Coffee beans, 500 g",
    "Air fryer", "Family-size thermos", "Wool hoodie", "Building blocks", "Green tea", "Sneakers",
)  # fmt: skip
CHINESE_NAMES = (
    "维C精华液", "经典口红·宝石红", "补水面膜", "矿物防晒霜", "羽绒服", "蓝牙耳机第二代",
    "坚果礼盒", "咖啡豆 500 克", "空气炸锅", "家庭装保温杯", "羊毛卫衣", "儿童积木",
    "绿茶", "运动鞋",
)  # fmt: skip


def rate(part: int, of: int) -> Json:
    """Return a rate as the server writes it: null over fewer than 30."""
    return {"value": part / of if of >= 30 else None, "of": of}


def line(name: str = "busy", **changes: Any) -> Json:
    """Return a session's line in the overview."""
    return {
        "id": name,
        "title": "Autumn skin care, live from the studio",
        "host_id": "host-lin",
        "currency": "CNY",
        "started": STARTED,
        "ended": None,
        "announced": True,
        "viewers_now": 1_284,
        "viewers": 8_412,
        "peak": 1_530,
        "gmv_gross": 18_432_050,
        "gmv_net": 18_100_200,
        "orders": 612,
        "at_risk": 83,
        "events_per_s": 412.5,
        "written_at": NOW - 300,
        "stale": False,
    } | changes


def busy(names: tuple[str, ...] = NAMES) -> Json:
    """Return a session in full swing: a weak step, a product running out, coupons going out."""
    snapshot: Json = {
        "session": line(),
        "at": NOW,
        "data_at": NOW - 400,
        "written_at": NOW - 300,
        "stale": False,
        "revision": 1,
        "now": {
            "viewers": 1_284,
            "joining_per_min": 0,
            "leaving_per_min": 0,
            "events_per_s": 412.5,
        },
        "money": _money(),
        "funnel": _funnel(),
        "worst_step": "carted",
        "gpm": _gpm(),
        "risk": _risk(),
        "products": _products(names),
        "offers": _offers(),
        "triggers": _triggers(),
        "suggestions": [
            _suggest("stock_low", product="p3", stock=12, minutes=4.3),
            _suggest("carts_waiting", product="p1", carts=23, older_than_s=60, value=296_700),
            _suggest("worst_factor", factor="click_to_order", percent_below=21, of=480),
        ],
        "markers": _markers(),
    }
    minute = panes(snapshot)[-6:]
    for key, of in (("joining_per_min", "entered"), ("leaving_per_min", "left")):
        snapshot["now"][key] = sum(row[of] for row in minute)
    return snapshot


def empty() -> Json:
    """Return a session into which nobody has come: all zeros, nothing listed."""
    nobody = line(
        "empty", title="Soon: tea tasting", started=NOW - MINUTE, viewers_now=0, viewers=0,
        peak=0, gmv_gross=0, gmv_net=0, orders=0, at_risk=0, events_per_s=0.0,
    )  # fmt: skip
    return zeros(busy()) | {
        "session": nobody,
        "worst_step": None,
        "products": [],
        "offers": [],
        "suggestions": [],
        "markers": [],
    }


def zeros(snapshot: Json) -> Json:
    """Return the snapshot with 0 of everything that is counted."""
    none = {"value": None, "of": 0}
    tally = dict.fromkeys(("sent", "shown", "accepted", "declined", "failed", "revenue"), 0)
    return snapshot | {
        "session": snapshot["session"]
        | dict.fromkeys(("viewers_now", "viewers", "peak", "gmv_gross", "gmv_net", "orders"), 0)
        | {"at_risk": 0, "events_per_s": 0.0},
        "now": dict.fromkeys(snapshot["now"], 0),
        "money": {
            name: {"value": 0, "last_5m": None, "baseline": None, "of": 0}
            for name in snapshot["money"]
        },
        "funnel": [
            {"step": step, "people": 0, "from_previous": none, "last_5m": none, "baseline": none}
            for step in STEPS
        ],
        "worst_step": None,
        "gpm": {
            "value": None,
            "factors": [
                {"name": name, "value": None, "baseline": None, "of": 0} for name in FACTORS
            ],
            "furthest_below": None,
        },
        "risk": {
            "bins": [0] * 10, "at_risk": 0, "carts": 0, "carts_value": 0, "carts_at_risk": 0,
            "carts_at_risk_value": 0, "reasons": [], "top": [],
        },
        "products": [
            product | dict.fromkeys((*STEPS[1:], "gmv_gross", "carts", "carts_waiting"), 0)
            | {"bought_with": [], "sells_out_in_min": None, "pinned": False}
            for product in snapshot["products"]
        ],
        "triggers": {
            "coupons": tally, "recommendations": tally, "latest": [], "suppressed": [],
        },
        "suggestions": [],
    }  # fmt: skip


def starting() -> Json:
    """Return a session of eleven viewers: every rate is of too few."""
    people = (11, 9, 5, 2, 1, 0)
    snapshot = zeros(busy())
    few = line(
        "starting", title="Coffee at dawn", started=NOW - 70 * SECOND, viewers_now=11, viewers=11,
        peak=11, gmv_gross=18_800, gmv_net=18_800, orders=1, at_risk=1, events_per_s=4.2,
    )  # fmt: skip
    return snapshot | {
        "session": few,
        "now": {"viewers": 11, "joining_per_min": 11, "leaving_per_min": 0, "events_per_s": 4.2},
        "money": {
            name: {"value": value, "last_5m": value, "baseline": None, "of": of}
            for name, value, of in (
                ("gmv_gross", 18_800, 1), ("gmv_net", 18_800, 1), ("orders", 1, 11),
                ("watch_gpm", 1_709_090.0, 11), ("uv_value", None, 11),
            )
        },
        "funnel": [
            {
                "step": step,
                "people": count,
                "from_previous": rate(count, before),
                "last_5m": {"value": None, "of": 0},
                "baseline": {"value": None, "of": 0},
            }
            for step, count, before in zip(STEPS, people, (0, *people), strict=False)
        ],
        "risk": snapshot["risk"] | {"bins": [6, 2, 1, 0, 1, 0, 1, 0, 0, 0], "at_risk": 1},
        "products": snapshot["products"][:2],
        "markers": [{"at": NOW - 60 * SECOND, "kind": "pin", "product": "p1", "count": None}],
    }  # fmt: skip


def ended() -> Json:
    """Return the busy session as it stands some minutes after its end."""
    snapshot, ago = busy(), 5 * MINUTE
    over = line(
        "ended", started=STARTED - ago, ended=NOW - ago, viewers_now=0, at_risk=0, events_per_s=0.0
    )
    nothing = {"sells_out_in_min": None, "units_per_min": 0.0, "carts": 0, "carts_waiting": 0}
    triggers = snapshot["triggers"]
    return snapshot | {
        "session": over,
        "written_at": NOW - ago,
        "data_at": NOW - ago,
        "now": dict.fromkeys(snapshot["now"], 0),
        "risk": zeros(snapshot)["risk"],
        "products": [one | nothing for one in snapshot["products"]],
        "offers": [one | {"valid_until": one["valid_until"] - ago} for one in snapshot["offers"]],
        "triggers": triggers | {"latest": _earlier(triggers["latest"], ago)},
        "suggestions": [],
        "markers": _earlier(snapshot["markers"], ago),
    }


def _earlier(lines: list[Json], ms: int) -> list[Json]:
    return [one | {"at": one["at"] - ms} for one in lines]


def stale() -> Json:
    """Return a busy session whose workers last wrote 47 s ago."""
    return busy() | {
        "session": line("stale", written_at=NOW - 47_000, stale=True),
        "data_at": NOW - 48_000,
        "written_at": NOW - 47_000,
        "stale": True,
    }


def chinese() -> Json:
    """Return the busy session as a Chinese host would run it."""
    title = "秋季护肤专场·直播间现场"
    return busy(CHINESE_NAMES) | {"session": line("chinese", title=title, host_id="林主播")}


def long_names() -> Json:
    """Return names as long as the contract allows, with and without spaces, and with markup."""
    names = (
        "An extraordinarily moisturising overnight repair serum with vitamin C and hyaluronic acid",
        "W" * 250,
        "<img src=x onerror=alert(1)><b>bold</b>",
        "超长商品名称" * 40,
        *NAMES[4:],
    )
    title = "The very long autumn gala of skin care, kitchen, coats and everything else " * 3
    snapshot = busy(names) | {"session": line("long", title=title, host_id="h" * 128)}
    viewer = "viewer-" + "0123456789abcdef" * 7
    snapshot["risk"]["top"][0]["viewer"] = viewer
    snapshot["triggers"]["latest"][0]["viewer"] = viewer
    return snapshot


def huge() -> Json:
    """Return numbers as large as a national sale's, times a hundred."""
    factor = 1_000_000
    snapshot = busy()
    session = snapshot["session"]
    return snapshot | {
        "session": line(
            "huge", **{key: session[key] * factor for key in ("viewers_now", "viewers", "peak")},
            gmv_gross=session["gmv_gross"] * factor, gmv_net=session["gmv_net"] * factor,
            orders=session["orders"] * factor, at_risk=session["at_risk"] * factor,
            events_per_s=session["events_per_s"] * factor,
        ),
        "now": {key: value * factor for key, value in snapshot["now"].items()},
        "money": {
            name: {key: value * factor for key, value in figure.items()}
            for name, figure in snapshot["money"].items()
        },
        "funnel": [
            step | {"people": step["people"] * factor} for step in snapshot["funnel"]
        ],
        "risk": snapshot["risk"] | {
            "bins": [count * factor for count in snapshot["risk"]["bins"]],
            "at_risk": 83 * factor, "carts_at_risk": 31 * factor,
            "carts_at_risk_value": 1_240_000 * factor,
        },
        "products": [
            product | {key: product[key] * factor for key in (*STEPS[1:], "gmv_gross")}
            for product in snapshot["products"]
        ],
    }  # fmt: skip


STATES: Mapping[str, Callable[[], Json]] = {
    "busy": busy,
    "empty": empty,
    "starting": starting,
    "zeros": lambda: zeros(busy()) | {"session": zeros(busy())["session"] | {"id": "zeros"}},
    "stale": stale,
    "ended": ended,
    "long": long_names,
    "huge": huge,
    "chinese": chinese,
}


def sessions() -> list[Json]:
    """Return the lines of the overview: three live, of different character, and two that ended."""
    return [
        line(),
        line(
            "flash", title="Flash sale: earbuds and thermos", host_id="host-mei", currency="USD",
            started=NOW - 12 * MINUTE, viewers_now=4_120, viewers=9_033, peak=4_402,
            gmv_gross=9_120_400, gmv_net=9_120_400, orders=2_204, at_risk=412, events_per_s=1_903.0,
        ),
        line(
            "tea", title="午后茶席", host_id="陈老师", started=NOW - 96 * MINUTE, viewers_now=64,
            viewers=512, peak=118, gmv_gross=412_300, gmv_net=398_000, orders=31, at_risk=4,
            events_per_s=9.5,
        ),
        line("coats", title="Morning coats", host_id="host-an", ended=NOW - 3 * HOUR,
             started=NOW - 5 * HOUR, viewers_now=0, at_risk=0, events_per_s=0.0, orders=231,
             gmv_gross=9_712_400, gmv_net=9_500_100, viewers=5_210, peak=873),
        line("late", title="Night kitchen", host_id="host-wu", ended=NOW - 9 * HOUR,
             started=NOW - 11 * HOUR, viewers_now=0, at_risk=0, events_per_s=0.0, orders=88,
             gmv_gross=1_033_000, gmv_net=1_033_000, viewers=1_940, peak=402),
    ]  # fmt: skip


def _money() -> Json:
    figures = {
        "gmv_gross": (GROSS, GROSS_5M, _usual(GROSS, GROSS_5M), ORDERS),
        "gmv_net": (18_100_200, 2_100_300, _usual(18_100_200, 2_100_300), ORDERS),
        "orders": (ORDERS, ORDERS_5M, _usual(ORDERS, ORDERS_5M), PEOPLE[0]),
        "watch_gpm": (
            1_000 * GROSS / VIEWS,
            1_000 * GROSS_5M / VIEWS_5M,
            1_000 * (GROSS - GROSS_5M) / (VIEWS - VIEWS_5M),
            VIEWS,
        ),
        "uv_value": (GROSS / PEOPLE[0], 1_950.5, 1_842.0, PEOPLE[0]),
    }
    keys = ("value", "last_5m", "baseline", "of")
    return {name: dict(zip(keys, values, strict=True)) for name, values in figures.items()}


def _usual(whole: int, lately: int) -> float:
    """Return what 5 min brought on average in the 47 min before the last five."""
    return (whole - lately) * 5 / 47


def _funnel() -> list[Json]:
    usual = (0, 0.79, 0.332, 0.538, 0.64, 0.931)
    lately = (0, 0.802, 0.321, 0.447, 0.652, 0.94)
    return [
        {
            "step": step,
            "people": people,
            "from_previous": rate(people, before),
            "last_5m": rate(round(before * last / 8), before // 8),
            "baseline": rate(round(before * base), before),
        }
        for step, people, before, last, base in zip(
            STEPS, PEOPLE, (0, *PEOPLE), lately, usual, strict=False
        )
    ]


def _gpm() -> Json:
    lately = (IMPRESSIONS_5M, VIEWS_5M, CLICKS_5M, ORDERS_5M, GROSS_5M)
    whole = (IMPRESSIONS, VIEWS, CLICKS, ORDERS, GROSS)
    before = [a - b for a, b in zip(whole, lately, strict=True)]
    return {
        "value": 1_000 * GROSS_5M / IMPRESSIONS_5M,
        "factors": [
            {
                "name": name,
                "value": lately[i + 1] / lately[i],
                "baseline": before[i + 1] / before[i],
                "of": lately[i],
            }
            for i, name in enumerate(FACTORS)
        ],
        "furthest_below": "click_to_order",
    }


def _suggest(code: str, **params: str | float) -> Json:
    return {"code": code, "params": params}


def _risk() -> Json:
    reasons = (("idle", 41), ("room_leaving", 30), ("silent", 22), ("old_cart", 19), ("no_cart", 8))
    tops = ((0.93, 12_900), (0.88, 0), (0.86, 45_800), (0.81, 8_900), (0.79, 0), (0.77, 3_900))
    return {
        "bins": [412, 318, 201, 122, 88, 60, 38, 24, 15, 6],
        "at_risk": 83,
        "carts": 140,
        "carts_value": 5_300_000,
        "carts_at_risk": 31,
        "carts_at_risk_value": 1_240_000,
        "reasons": [{"code": code, "viewers": viewers} for code, viewers in reasons],
        "top": [
            {
                "viewer": f"{0x379CACAF * (i + 3) % 2**32:08x}",
                "risk": risk,
                "reasons": ["idle", "old_cart"] if cart else ["silent", "no_cart"],
                "cart_value": cart,
            }
            for i, (risk, cart) in enumerate(tops)
        ],
    }


def _products(names: tuple[str, ...]) -> list[Json]:
    """Return the shelf, whose products share the GMV of the session."""
    found = [_product(i, name) for i, name in enumerate(names)]
    parts = shared(GROSS, [one["paid"] * one["price"] for one in found])
    return [one | {"gmv_gross": part} for one, part in zip(found, parts, strict=True)]


def _product(i: int, title: str) -> Json:
    share, stock, per_min = 1 / (1 + i), STOCK[i], UNITS_5M[i] / 5
    return {
        "id": f"p{i + 1}",
        "title": title,
        "price": 12_900 + 3_700 * (i * 5 % 11),
        "currency": "CNY",
        "stock": stock,
        "pinned": i == 0,
        "listed": i != 11,
        "exposed": round(5_200 * share),
        "clicked": round(1_480 * share),
        "carted": round(520 * share),
        "ordered": round(230 * share),
        "paid": round(210 * share),
        "units_per_min": per_min,
        "carts": round(44 * share),
        "carts_waiting": round(23 * share),
        "oldest_cart_at": NOW - 400 * SECOND,
        "sells_out_in_min": round(stock / per_min, 1) if stock and per_min else None,
        "bought_with": [f"p{(i + 2) % 5 + 1}", f"p{(i + 4) % 6 + 1}"] if i < 6 else [],
    }


def _offers() -> list[Json]:
    return [
        {
            "id": "o1", "kind": "percent_off", "value": 10, "currency": "CNY",
            "minimum_spend": 0, "budget": 500_000, "left": 212_300,
            "valid_until": NOW + 40 * MINUTE,
        },
        {
            "id": "o2", "kind": "amount_off", "value": 2_000, "currency": "CNY",
            "minimum_spend": 8_800, "budget": 300_000, "left": 180_000,
            "valid_until": NOW + 15 * MINUTE,
        },
    ]  # fmt: skip


def _triggers() -> Json:
    kinds = (
        ("coupon", "cart_waiting", "cart_age_s", 64.0, "accepted"),
        ("recommendation", "after_order", "ordered", 1.0, "shown"),
        ("coupon", "at_risk", "idle", 1.4, "sent"),
        ("recommendation", "hesitating", "clicks_without_cart", 2.0, "declined"),
        ("recommendation", "cart_removed", "removed_from_cart", 1.0, "accepted"),
        ("coupon", "at_risk", "silent", 1.1, "failed"),
        ("coupon", "cart_waiting", "cart_age_s", 41.0, "expired"),
    )
    return {
        "coupons": {
            "sent": 148, "shown": 131, "accepted": 64, "declined": 22, "failed": 3,
            "revenue": 1_610_400,
        },
        "recommendations": {
            "sent": 302, "shown": 270, "accepted": 81, "declined": 40, "failed": 5,
            "revenue": 920_100,
        },
        "latest": [_trigger(i, *kinds[i % len(kinds)]) for i in range(24)],
        "suppressed": [
            {"reason": "too_soon", "count": 212}, {"reason": "session_cap", "count": 140},
            {"reason": "no_candidate", "count": 51}, {"reason": "minimum_spend", "count": 33},
            {"reason": "budget_exhausted", "count": 4},
        ],
    }  # fmt: skip


COUPONED = ("p1", "p3", "p4", "p5", "p6", "p8")


def _trigger(i: int, kind: str, rule: str, code: str, weight: float, state: str) -> Json:
    return {
        "id": f"t{i}",
        "at": NOW - 4_000 - 6_000 * i,
        "kind": kind,
        "rule": rule,
        "viewer": f"{0x5A3037B3 * (i + 5) % 2**32:08x}",
        "products": [COUPONED[i % 6]] if kind == "coupon" else ["p4", "p7", "p9"],
        "reasons": [{"code": code, "weight": weight}, {"code": "settled", "weight": -0.4}],
        "amount": 2_000 if kind == "coupon" else None,
        "state": state,
    }


def _markers() -> list[Json]:
    pins = [(50, "p5"), (38, "p3"), (27, "p2"), (14, "p4"), (5, "p1")]
    return [
        *({"at": NOW - m * MINUTE, "kind": "pin", "product": p, "count": None} for m, p in pins),
        {"at": NOW - 48 * MINUTE, "kind": "offer", "product": None, "count": None},
        {"at": NOW - 21 * MINUTE, "kind": "stock_out", "product": "p2", "count": None},
        {"at": NOW - 20 * MINUTE, "kind": "offer", "product": None, "count": None},
        {"at": NOW - 9 * MINUTE, "kind": "flash_price", "product": "p4", "count": None},
        *(
            {"at": NOW - m * MINUTE, "kind": "trigger", "product": None, "count": 8 + m % 5}
            for m in range(1, 46)
        ),
    ]
