"""One broadcast: its shelf and the visits that are going on in it."""

from msgspec import Struct, field

from agents.simulator.catalogue import Product
from agents.simulator.crowd import Viewer
from agents.simulator.scenario import Character
from agents.simulator.stage import Dice, Stage
from schemas.events import Event, ViewerEvent


class Session(Struct):
    """A live room. ``shelf`` is on sale now, ``backstage`` comes later in the show.

    ``sales`` is about how many pieces sell in five minutes; ``flash`` says that a flash sale is on.
    ``sold`` names the products whose stock changed since the host last said so.
    """

    number: int
    session_id: str
    key: bytes
    currency: str
    title: str
    announced: bool
    backstage: list[Product]
    sales: float = 0.0
    character: Character | None = None
    flash: bool = False
    shelf: list[Product] = field(default_factory=list)
    pinned: Product | None = None
    sold: dict[str, Product] = field(default_factory=dict)
    visits: dict[str, "Visit"] = field(default_factory=dict)

    def says(self, stage: Stage, kind: type[Event], /, **fields: object) -> None:
        """Tell an event of the host."""
        stage.tell(kind, self.session_id, self.key, **fields)

    def glance(self, dice: Dice) -> Product | None:
        """Pick the product that catches the eye: the pinned one, or one high on the shelf."""
        if self.pinned is not None and dice.chance(0.5):
            return self.pinned
        return self.shelf[dice.zipf(len(self.shelf), 0.7)] if self.shelf else None


class Item(Struct):
    """So many pieces of a product in a cart, at the price when they went in."""

    product: Product
    quantity: int
    unit_price: int


class Visit(Struct):
    """One viewer's stay; ``cart`` is by product id. Times are event time in ms."""

    viewer: Viewer
    session: Session
    entered_ms: int
    leaves_ms: int
    active_ms: int
    present: bool = True
    deciding: bool = False
    cart: dict[str, Item] = field(default_factory=dict)

    def tells(self, stage: Stage, kind: type[ViewerEvent], /, **fields: object) -> None:
        """Tell an event of the viewer or of their player."""
        viewer = self.viewer
        stage.tell(kind, self.session.session_id, viewer.key, viewer_id=viewer.viewer_id, **fields)

    def does(self, stage: Stage, kind: type[ViewerEvent], /, **fields: object) -> None:
        """Tell what the viewer did, which ends their idleness."""
        self.active_ms = stage.now_ms
        self.tells(stage, kind, **fields)
