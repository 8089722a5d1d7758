"""A signal that is held back comes once the block has ended, and as it would have come."""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from agents.interrupts import held


def test_ctrl_c_waits_until_the_block_ends() -> None:
    """The block goes on to its end; then the interrupt is raised as usual, once for many."""
    ended = []

    @held()
    def block() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        block()
    assert ended
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_caller_hears_of_the_signal() -> None:
    """A service that ends by its own handler still does; the handler stays in place."""
    heard: list[int] = []
    usual = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    try:
        with held():
            signal.raise_signal(signal.SIGTERM)
            assert heard == []
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, usual)


def test_an_ignored_signal_stays_ignored() -> None:
    """A background job of a shell is deaf to Ctrl-C, and goes on."""
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held():
            signal.raise_signal(signal.SIGINT)
    finally:
        assert signal.signal(signal.SIGINT, usual) is signal.SIG_IGN


def test_other_threads_may_use_it() -> None:
    """Only the main thread may set handlers; only there do they run."""

    def block() -> str:
        with held():
            return "done"

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(block).result() == "done"
