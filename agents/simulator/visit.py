"""How a viewer comes, what they do while they are there, and when they go."""

from agents.simulator.comments import comment
from agents.simulator.crowd import Viewer
from agents.simulator.session import Session, Visit
from agents.simulator.shopping import look
from agents.simulator.stage import Dice, Process, Stage
from schemas.events import (
    CommentPosted,
    Heartbeat,
    HostFollowed,
    LikesSent,
    RoomShown,
    SessionShared,
    ViewerEntered,
    ViewerLeft,
)

HEARTBEAT_S = 10.0
#: Half of all stays are shorter than a minute, one in a hundred is longer than half an hour.
STAY_SCALE_S, STAY_SHAPE = 240.0, 1.3
PAUSE_MEDIAN_S, PAUSE_SPREAD = 11.0, 1.0
#: Nobody leaves for being idle before this; then the wish to leave is constant.
PATIENCE_S, PATIENCE_MORE_S = 25.0, 120.0
SILENT_SHARE = 0.03
#: Newcomers who notice the product that is pinned when they come in.
SEES_PIN = 0.6
CHANNELS = ("recommend", "search", "share", "ads")
CHANNEL_WEIGHTS = (62, 76, 87, 100)
#: Channels that show the room's card before a viewer comes in.
CARD_CHANNELS = frozenset({"recommend", "search", "ads"})


def arrive(stage: Stage, session: Session, viewer: Viewer) -> Process:
    """Live one visit, from the room's card to the leave."""
    channel = _channel(stage.dice, viewer, session)
    now = stage.now_ms
    visit = Visit(viewer=viewer, session=session, entered_ms=now, leaves_ms=now, active_ms=now)
    if channel in CARD_CHANNELS:
        visit.tells(stage, RoomShown)
        yield stage.dice.between_ms(0.4, 2.5)
    follower = session.number in viewer.follows
    visit.does(stage, ViewerEntered, channel=channel, follower=follower)
    visit.entered_ms = stage.now_ms
    visit.leaves_ms = stage.now_ms + stage.dice.heavy_ms(STAY_SCALE_S, STAY_SHAPE)
    session.visits[viewer.viewer_id] = visit
    stage.start(_heartbeats(stage, visit), after_ms=int(HEARTBEAT_S * 1_000))
    if session.pinned is not None and stage.dice.chance(SEES_PIN):
        stage.start(look(stage, visit, session.pinned), after_ms=stage.dice.between_ms(0.5, 3))
    yield from _stay(stage, visit)
    _leave(stage, visit)


def _channel(dice: Dice, viewer: Viewer, session: Session) -> str:
    if session.number in viewer.follows and dice.chance(0.7):
        return "follow"
    roll = dice.random() * CHANNEL_WEIGHTS[-1]
    return next(c for c, edge in zip(CHANNELS, CHANNEL_WEIGHTS, strict=True) if roll < edge)


def _heartbeats(stage: Stage, visit: Visit) -> Process:
    while visit.present:
        visit.tells(stage, Heartbeat)
        yield stage.dice.between_ms(HEARTBEAT_S - 0.3, HEARTBEAT_S + 0.3)


def _stay(stage: Stage, visit: Visit) -> Process:
    """Act, pause, act, until the time is up or the viewer has been idle for too long."""
    dice, viewer = stage.dice, visit.viewer
    while stage.now_ms < visit.leaves_ms:
        pause = int(1_000 * dice.lognormvariate(0, PAUSE_SPREAD) * PAUSE_MEDIAN_S / viewer.pace)
        patience = dice.about_ms(PATIENCE_MORE_S) + int(1_000 * PATIENCE_S)
        yield min(pause, patience, visit.leaves_ms - stage.now_ms)
        if stage.now_ms - visit.active_ms >= patience:
            return
        if stage.now_ms < visit.leaves_ms:
            _act(stage, visit)


def _leave(stage: Stage, visit: Visit) -> None:
    visit.present = False
    visit.viewer.watching = False
    del visit.session.visits[visit.viewer.viewer_id]
    if not stage.dice.chance(SILENT_SHARE):
        visit.tells(stage, ViewerLeft)


def _act(stage: Stage, visit: Visit) -> None:
    """Do one of the many things that viewers do, or just watch."""
    roll = stage.dice.random()
    for edge, action in ACTIONS:
        if roll < edge:
            action(stage, visit)
            return


def _like(stage: Stage, visit: Visit) -> None:
    stage.start(_tap(stage, visit, times=1 + stage.dice.poisson(0.8)))


def _tap(stage: Stage, visit: Visit, *, times: int) -> Process:
    """Send a burst of hearts: the player sums the taps up every second or two."""
    for _ in range(times):
        if visit.present:
            visit.does(stage, LikesSent, count=1 + stage.dice.poisson(4))
            yield stage.dice.between_ms(0.8, 2.2)


def _glance(stage: Stage, visit: Visit) -> None:
    product = visit.session.glance(stage.dice)
    if product is not None:
        stage.start(look(stage, visit, product))


def _comment(stage: Stage, visit: Visit) -> None:
    product = visit.session.glance(stage.dice)
    text = comment(stage.dice, product, chinese=visit.viewer.chinese)
    visit.does(stage, CommentPosted, text=text)


def _share(stage: Stage, visit: Visit) -> None:
    visit.does(stage, SessionShared)


def _follow(stage: Stage, visit: Visit) -> None:
    if visit.session.number not in visit.viewer.follows:
        visit.viewer.follows.add(visit.session.number)
        visit.does(stage, HostFollowed)


#: Running sums of how likely each action is; what is left is watching.
ACTIONS = ((0.40, _like), (0.62, _glance), (0.72, _comment), (0.73, _share), (0.745, _follow))
