"""The page's files: nothing inline, nothing from elsewhere, everything third-party pinned."""

import json
import re

from tests.screen.feed import SCREEN

PAGES = sorted((SCREEN / "page").glob("*.html"))
MODULES = sorted((SCREEN / "page").glob("js/**/*.js"))
STYLES = sorted((SCREEN / "page").glob("css/*.css"))


def test_pages_have_no_inline_script_or_style() -> None:
    """The content security policy forbids both, and so the pages have none."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text), page.name


def test_files_name_no_other_host() -> None:
    """No request leaves the host, because no address of another one is written anywhere."""
    for file in (*PAGES, *MODULES, *STYLES):
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|[\"'(]//", text), file.name


def test_modules_never_parse_text_as_markup() -> None:
    """Titles and pseudonyms go through textContent only."""
    for module in MODULES:
        text = module.read_text(encoding="utf-8")
        forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
        assert not re.search(forbidden, text), module.name


def test_third_party_files_are_pinned_by_hash() -> None:
    """The lock names each package's exact version and hash, and no registry."""
    lock = json.loads((SCREEN / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert {"node_modules/uplot", "node_modules/axe-core"} <= set(packages)
    assert all(one["integrity"].startswith("sha512-") for one in packages.values())
    assert not any("resolved" in one for one in packages.values())


def test_what_reaches_visitors_is_free_of_conditions_for_them() -> None:
    """What is shipped beside our own files has a permissive licence, and the file that says so."""
    lock = json.loads((SCREEN / "package-lock.json").read_text(encoding="utf-8"))
    shipped = [one for name, one in lock["packages"].items() if name and not one.get("dev")]
    assert {one["license"] for one in shipped} == {"MIT", "OFL-1.1"}
    copied = (SCREEN / "vendor.mjs").read_text(encoding="utf-8")
    assert copied.count("LICENSE") == 2 * len(shipped)
