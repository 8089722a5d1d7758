"""Ends the demo's other processes when the demo itself is gone, however it went.

It leads their process group and reads a pipe that only the demo holds: the pipe's end is the
demo's end, also after a ``kill -9``. Usage: python -m agents.demo.keeper DIRECTORY
"""

import os
import shutil
import signal
import sys
import time

#: What the demo writes before it closes the pipe when it has ended the others by itself.
FAREWELL = b"ended"
_GRACE_S = 2.0


def main(directory: str) -> None:
    """Wait for the demo's end, end the whole group if the demo did not, remove its files."""
    os.setpgid(0, 0)  # before the greeting: those who come find the group
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.write(sys.stdout.fileno(), b"\n")
    farewell = sys.stdin.buffer.read()
    if farewell != FAREWELL:
        os.killpg(0, signal.SIGTERM)
        time.sleep(_GRACE_S)
    shutil.rmtree(directory, ignore_errors=True)
    if farewell != FAREWELL:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
