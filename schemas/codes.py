"""The codes of our results and what they mean, as the schemas tell it.

A code may be added inside a major: a reader passes over one that it does not know. Tests hold
these lists against what the core says.
"""

#: ``rule`` of triggers and decisions.
RULES: dict[str, str] = {
    "cart_waiting": "coupon: a product has waited in the cart, by default for 30 s",
    "at_risk": "coupon: who has something in the cart, or has clicked, is likely to leave",
    "after_order": "recommendation: the viewer has just ordered",
    "cart_removed": "recommendation: the viewer took a product out of the cart",
    "sold_out": "recommendation: a product in the viewer's cart is sold out",
    "hesitating": "recommendation: the viewer clicks and puts nothing into the cart",
}

#: ``Reason.code``: why, with the unit of its weight.
WHY: dict[str, str] = {
    "cart_age_s": "a product waits in the cart; weight: for so many seconds",
    "ordered": "has just ordered; weight: so many different products",
    "removed_from_cart": "took a product out of the cart; weight: so many pieces",
    "sold_out": "a product in the cart is sold out; weight: 1",
    "clicks_without_cart": "clicked and put nothing into the cart; weight: so many clicks",
    "idle": "has stopped acting; weight: log odds",
    "just_acted": "has just acted; weight: log odds, below zero",
    "silent": "sends no sign of life; weight: log odds",
    "in_touch": "is in touch; weight: log odds, below zero; not with today's weights",
    "newcomer": "has only just come; weight: log odds",
    "settled": "has stayed for long; weight: log odds, below zero",
    "few_acts": "does little; weight: log odds",
    "lively": "is lively; weight: log odds, below zero",
    "no_cart": "has no cart; weight: log odds; not with today's weights",
    "open_cart": "has a cart; weight: log odds, below zero",
    "old_cart": "the cart grows old; weight: log odds",
    "fresh_cart": "the cart is fresh; weight: log odds, below zero; not with today's weights",
    "room_leaving": "others are leaving; weight: log odds",
    "room_staying": "others are staying; weight: log odds, below zero",
}

#: ``Decision.reason``: why a proposal was not sent, from the checks that come first to the last.
WHY_NOT: dict[str, str] = {
    "session_ended": "the broadcast is over",
    "not_present": "the viewer has left the room",
    "already_decided": "this cause has had its coupon",
    # coupons: the viewer
    "session_cap": "the viewer has had as many coupons as a session may give",
    "too_soon": "the viewer's last coupon is too recent",
    # coupons: the goods in the cart, or the one that was clicked
    "already_ordered": "the viewer has ordered the clicked product",
    "not_listed": "none of the goods is on the shelf",
    "out_of_stock": "none of the goods is left to sell",
    # coupons: the offers; the one that came furthest gives the reason
    "no_offer": "the session has no offer",
    "offer_expired": "the offer is no longer valid",
    "currency": "the offer and the goods have different currencies",
    "minimum_spend": "the goods cost less than the offer asks for",
    "no_discount": "the offer takes off less than one minor unit",
    "margin": "the offer takes off more than the merchant earns",
    "offer_cap": "the viewer has had this offer as often as it allows",
    "budget_exhausted": "the offer's budget cannot pay for it",
    "budget_unavailable": "nobody could say whether the budget can pay; asked again later",
    "answer_late": "the budget's answer came when the coupon was no longer waiting for it",
    # recommendations
    "window_cap": "the viewer has had as many recommendations as 10 minutes may give",
    "no_candidate": "nothing on the shelf is left to recommend",
}

#: ``DeadLetter.reason``: why a record cannot be used.
REFUSALS: dict[str, str] = {
    "invalid_json": "not JSON",
    "invalid_utf8": "not UTF-8",
    "invalid_field": "a field has a value that it may not have",
    "missing_field": "a required field is missing",
    "unknown_type": "the topic does not carry this type",
    "too_large": "the record is too large, or the session has too many products or offers",
    "null_value": "the record has no value",
    "invalid_envelope": "a CloudEvents envelope that holds no event",
    "wrong_partition": "the record's partition is not that of its viewer",
    "wrong_currency": "money in another currency than the session's",
    "future": "`ts` is too far ahead of the record's own time",
    "too_old": "`ts` is too far behind the record's own time",
}

#: The keys of ``ConversionRow.people``.
PEOPLE: dict[str, str] = {
    "viewers": "were in the room; not of products",
    "exposed": "were shown a product card",
    "clicked": "opened a product",
    "carted": "put a product into the cart",
    "ordered": "placed an order",
    "paid": "paid an order",
    "interacted": "liked, commented, shared or followed; not of products",
}

#: The keys of ``ConversionRow.money``.
MONEY: dict[str, str] = {
    "gmv_gross": "paid",
    "gmv_net": "paid, less what was given back of it",
    "refunded": "given back of what was paid in the window",
    "ordered_amount": "ordered, paid or not",
}

#: The keys of ``ConversionRow.rates``.
RATES: dict[str, str] = {
    "show_gpm": "1,000 times `gmv_gross` per room_impressions (sessions)",
    "watch_gpm": "1,000 times `gmv_gross` per views (sessions, channels)",
    "uv_value": "`gmv_gross` per viewers (sessions, channels)",
    "aov": "`gmv_gross` per paid_orders",
    "enter_rate": "views per room_impressions (sessions)",
    "ctr": "product clicks per views (sessions, channels)",
    "click_to_order": "paid orders per product_clicks",
    "exposure_rate": "people `exposed` per viewers (sessions, channels)",
    "click_rate": "people who `clicked` per viewers (sessions, channels)",
    "card_click_rate": "people who `clicked` per exposed",
    "cart_rate": "people who `carted` per clicked",
    "order_rate": "people who `ordered` per carted",
    "pay_rate": "people who `paid` per ordered",
    "conversion_rate": "people who `paid` per viewers (sessions, channels)",
    "interaction_rate": "people who `interacted` per viewers (sessions, channels)",
    "avg_watch_s": "seconds watched per viewers (sessions, channels)",
    "retention_5m": "still present per visits_begun_5m_ago (sessions, channels)",
    "bounce_rate": "stays of less than 3 s per views (sessions, channels)",
    "refund_rate": "`refunded` per gmv_gross",
    "unpaid_rate": "unpaid orders per placed_orders (window `session`)",
}
