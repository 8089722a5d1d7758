"""Puts the host screen's third-party files into the wheel: hatch runs this when it builds one.

An editable install goes on without them: ``make screen-assets`` fetches them later.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).parent
STEPS = (("npm", "ci", "--omit=dev"), ("npm", "run", "--silent", "vendor"))


class ScreenAssets(BuildHookInterface):  # type: ignore[type-arg]  # its settings are none of ours
    """Fetches what package-lock.json pins, unless it lies in static/vendor already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Run before the build of ``version`` ("standard" or "editable")."""
        if version == "editable" or (HERE / "static/vendor/uPlot.iife.min.js").exists():
            return
        if shutil.which("npm") is None:
            message = (
                "the wheel of livepulse carries the host screen's chart library, which comes by"
                " npm: install Node.js 20 or newer with npm, or run `make screen-assets` on a"
                " machine that has it and build from that checkout"
            )
            raise RuntimeError(message)
        for step in STEPS:
            subprocess.run(step, cwd=HERE, check=True)  # noqa: S603  fixed words
