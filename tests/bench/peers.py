"""The same kind of job in plain Faust, from a folder of peer engines, where there is one."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ENGINE = "faust-memory"  # Faust's default store
EVENTS = 40_000


def plain_faust(folder: Path) -> float | None:
    """Return plain Faust's events per second, or None where the peers are not present."""
    if not (folder / "run.py").exists():
        return None
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "peers"  # its runner writes its results beside itself
        shutil.copytree(folder, copy)
        (Path(directory) / "venvs").mkdir()
        (Path(directory) / "venvs" / "core").symlink_to(sys.prefix)
        done = subprocess.run(
            [sys.executable, "run.py", ENGINE, "--events", str(EVENTS)],
            cwd=copy,
            env=os.environ | {"BENCH_VENVS": str(Path(directory) / "venvs")},
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            timeout=300,
        )
    return float(json.loads(done.stdout.strip().splitlines()[0])["events_per_s"])
