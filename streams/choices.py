"""What was decided, before it is written: a coupon that waits for its budget, or a refusal."""

from msgspec import Struct

from streams.budget import Reservation
from streams.propose import Proposal
from streams.state import Offer

#: Why a proposal was not sent, from the checks that come first to those that come last.
REASONS: dict[str, str] = {
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


class Refusal(Struct, frozen=True):
    """Nothing is sent, for a ``reason`` out of ``REASONS``."""

    reason: str
    offer_id: str | None = None


class Choice(Struct, frozen=True, kw_only=True):
    """A coupon that is sent if ``reservation`` is granted. ``discount`` is minor units."""

    proposal: Proposal
    offer: Offer
    discount: int
    products: tuple[str, ...]
    reservation: Reservation

    @property
    def session_id(self) -> str:
        """The session whose viewer gets it."""
        return self.proposal.session_id

    @property
    def viewer_id(self) -> str:
        """The viewer who gets it."""
        return self.proposal.viewer_id

    @property
    def offer_id(self) -> str:
        """The offer that it is made of."""
        return self.reservation.offer_id

    @property
    def trigger_id(self) -> str:
        """The id that it will have on the wire and has in the budget."""
        return self.reservation.trigger_id
