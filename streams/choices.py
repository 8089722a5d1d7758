"""What was decided, before it is written: a coupon that waits for its budget, or a refusal."""

from msgspec import Struct

from streams.budget import Reservation
from streams.propose import Proposal
from streams.state import Offer


class Refusal(Struct, frozen=True):
    """Nothing is sent, for a ``reason`` out of ``schemas.codes.WHY_NOT``."""

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
