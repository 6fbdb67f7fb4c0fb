"""Pages for people: the search page and the documentation. Static, and nothing from elsewhere."""

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse

router = APIRouter(include_in_schema=False)

WEB = Path(__file__).parent.parent / "web"
"""The folder of the pages."""

_FILES = {
    "/": ("index.html", "text/html"),
    "/docs": ("docs.html", "text/html"),
    "/web/search.js": ("search.js", "text/javascript"),
    "/web/docs.js": ("docs.js", "text/javascript"),
    "/web/style.css": ("style.css", "text/css"),
    "/web/icon.svg": ("icon.svg", "image/svg+xml"),
}
_ONLY_OURS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob: data:; media-src 'self' blob: data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-cache",
}
"""Whatever a stored text or name may hold, the browser runs nothing but our own files."""


async def _file(request: Request) -> FileResponse:
    name, kind = _FILES[request.scope["path"]]
    return FileResponse(WEB / name, media_type=kind, headers=_ONLY_OURS)


for _path in _FILES:
    router.add_api_route(_path, _file, response_class=FileResponse)
