"""The backend: the authority, the guarded API, and the pages once they are built. Run by `uvicorn library:app`."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

import deputize

authority = deputize.Deputize("deputize.toml", data="var")
borrowed: list[str] = []


@authority.guard.tool("borrow_book")
async def borrow(request: Request) -> Response:
    """Lend the book that was approved."""
    borrowed.append(request.state.deputize.arguments["title"])
    return JSONResponse({"borrowed": borrowed}, 201)


routes: list[BaseRoute] = [
    *authority.well_known_routes(),
    Mount("/deputize", authority),
    Route("/api/loans", borrow, methods=["POST"]),
]
if Path("dist").exists():
    routes.append(Mount("/", StaticFiles(directory="dist", html=True)))
app = deputize.LocalhostRedirect(Starlette(routes=routes, lifespan=authority.lifespan))
