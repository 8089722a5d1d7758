"""The files of the page: kept in memory with their ETag, gzipped, read again when they change.

Ours lie in ``page/``, third-party ones in ``static/vendor/`` (see ``build_hook.py``).
"""

import gzip
import mimetypes
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from aiohttp import web
from msgspec import Struct

from agents.screen.access import Access

HERE = Path(__file__).parent
OURS, VENDOR = HERE / "page", HERE / "static/vendor"

#: The types that not every machine knows.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}


def missing() -> str | None:
    """Return what to do when the page's third-party files are not there, None when they are."""
    if (VENDOR / "uPlot.iife.min.js").is_file():
        return None
    return (
        "the screen's chart library is missing: run `make screen-assets` (it needs Node.js with"
        " npm), or install the wheel, which carries it"
    )


class _File(Struct, frozen=True):
    """A file as it is sent. ``packed`` is None when compressing does not pay."""

    body: bytes
    packed: bytes | None
    tag: str
    kind: str
    changed_ns: int


class Pages:
    """Serves files, and the pages that are made of them."""

    def __init__(self, access: Access, ours: Path = OURS, vendor: Path = VENDOR) -> None:
        self._access = access
        self._ours = ours
        self._vendor = vendor
        self._files: dict[str, _File] = {}

    async def static(self, request: web.Request) -> web.Response:
        """Answer ``GET /static/...``: nothing here is secret."""
        return self._send(request, request.match_info["path"], 200)

    async def sign_in(self, request: web.Request) -> web.Response:
        """Answer ``GET /login``."""
        return self._send(request, "login.html", 200)

    async def overview(self, request: web.Request) -> web.Response:
        """Answer ``GET /``."""
        return self._page(request, "index.html")

    async def session(self, request: web.Request) -> web.Response:
        """Answer ``GET /s/{id}``."""
        return self._page(request, "session.html")

    async def report(self, request: web.Request) -> web.Response:
        """Answer ``GET /s/{id}/report``."""
        return self._page(request, "report.html")

    def _page(self, request: web.Request, name: str) -> web.Response:
        """Send a page, or, to who is not signed in, the page that helps with that."""
        if self._access.grant(request) is None:
            return self._send(request, "login.html", 401)
        return self._send(request, name, 200)

    def _send(self, request: web.Request, name: str, status: int) -> web.Response:
        found = self._find(name)
        if found is None:
            raise web.HTTPNotFound(text="there is no such page")
        headers = {"ETag": found.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if status == 200 and request.headers.get("If-None-Match") == found.tag:  # noqa: PLR2004
            return web.Response(status=304, headers=headers)
        body = found.body
        if found.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = found.packed, "gzip"
        headers["Content-Type"] = found.kind
        return web.Response(status=status, body=body, headers=headers)

    def _find(self, name: str) -> _File | None:
        """Return a file by its path below /static/, None when there is none."""
        path = self._path(name)
        try:
            changed_ns = path.stat().st_mtime_ns if path is not None else 0
            known = self._files.get(name)
            if known is None or known.changed_ns != changed_ns:
                known = self._files[name] = _read(path, changed_ns) if path else None  # type: ignore[assignment]
        except OSError:
            return None
        return known

    def _path(self, name: str) -> Path | None:
        """Return where a name leads, unless that is outside of the two folders."""
        parts = PurePosixPath(name).parts
        if not parts or any(part in {"..", "/"} or part.startswith(".") for part in parts):
            return None
        vendor = parts[0] == "vendor"
        return self._vendor.joinpath(*parts[1:]) if vendor else self._ours.joinpath(*parts)


def _read(path: Path, changed_ns: int) -> _File:
    body = path.read_bytes()
    kind = _TYPES.get(path.suffix)
    packed = gzip.compress(body, mtime=0)
    return _File(
        body=body,
        packed=packed if len(packed) < len(body) else None,
        tag=f'"{blake2b(body, digest_size=12).hexdigest()}"',
        kind=kind or mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        changed_ns=changed_ns,
    )


def routes(pages: Pages) -> list[web.RouteDef]:
    """Return the routes of the pages and their files."""
    return [
        web.get("/", pages.overview),
        web.get("/login", pages.sign_in),
        web.get("/s/{id}", pages.session),
        web.get("/s/{id}/report", pages.report),
        web.get("/static/{path:.+}", pages.static),
    ]
