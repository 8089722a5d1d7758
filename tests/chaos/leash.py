"""Ties a forked process to the tests: when they end, however that may be, it ends as well."""

import ctypes
import os
import signal
from multiprocessing import forkserver

_PARENT_DEATH_SIGNAL = 1


def end_with_tests() -> None:
    """Be called first in a process that the fork server made.

    The fork server ends when nobody holds the other end of its pipe, and its children hold it as
    well: so let go of it, and end with the fork server.
    """
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    os.close(forkserver._forkserver._forkserver_alive_fd)  # type: ignore[attr-defined] # private
