"""Prints a CycloneDX bill of materials of this environment, and of the npm packages in a lock.

Usage: python sbom.py PACKAGE_LOCK_JSON. Standard library only; the image's build runs it.
"""

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

#: The environment's own tools are not part of what runs.
TOOLS = {"pip", "setuptools"}


def document(package_lock: dict[str, Any]) -> dict[str, Any]:
    """Return the bill of materials: every Python package here, every npm package that ships."""
    python = [
        _component("pypi", dist.name.lower().replace("_", "-"), dist.version)
        for dist in importlib.metadata.distributions()
        if dist.name not in TOOLS
    ]
    npm = [
        _component("npm", path.partition("node_modules/")[2], package["version"])
        for path, package in package_lock["packages"].items()
        if path and not package.get("dev")
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "components": sorted([*python, *npm], key=lambda component: component["purl"]),
    }


def _component(kind: str, name: str, version: str) -> dict[str, str]:
    purl = f"pkg:{kind}/{name.replace('@', '%40')}@{version}"
    return {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}


if __name__ == "__main__":
    lock = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps(document(lock), indent=1) + "\n")
