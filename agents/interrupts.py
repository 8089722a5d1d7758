"""Keep Ctrl-C and SIGTERM out of a library that they would break."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block ends, then handle them as usual.

    kafka-python's futures take their locks without ``with`` (3.0.12, kafka/future.py): an exception
    that a signal raises in there leaves one taken, and closing the consumer waits for it for ever.
    Does nothing in other threads, where no handler runs, nor to a signal that is ignored.
    """
    with _held(signal.SIGINT), _held(signal.SIGTERM):
        yield


@contextmanager
def _held(number: signal.Signals) -> Iterator[None]:
    usual = signal.getsignal(number)
    if not callable(usual) or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[FrameType | None] = []
    signal.signal(number, lambda _number, frame: came.append(frame))
    try:
        yield
    finally:
        signal.signal(number, usual)
        if came:
            usual(number, came[0])
