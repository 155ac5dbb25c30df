"""Where a widget fetches megabytes, such as networks: no script sends them, and a browser keeps them."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MOST = 8  # of up to 4 MB each; who asks for an older one makes the page offer it again
HEADERS = {
    "cache-control": "private, max-age=86400, immutable",  # it is named by its content
    "content-encoding": "identity",  # weights hardly get smaller, and packing them takes longer than sending them
}
_SERVED: dict[str, bytes] = {}  # by digest, the newest last


def offer(digest: str, data: bytes) -> str:
    """The address of these bytes in this process, for as long as they are among the newest."""
    _SERVED.pop(digest, None)
    _SERVED[digest] = data
    for old in [*_SERVED][:-MOST]:
        _SERVED.pop(old, None)
    return f"runs/networks/{digest}"


async def networks(request: Request) -> Response:
    digest = request.path_params["digest"]
    found = _SERVED.get(digest) if re.fullmatch(r"[0-9a-f]{64}", digest) else None
    if found is None:
        return JSONResponse({"error": "These networks are no longer kept here."}, 404)
    return Response(found, media_type="application/octet-stream", headers=HEADERS)


ROUTES = [Route("/runs/networks/{digest}", networks)]
