"""The web application over one run."""

from __future__ import annotations

import mimetypes
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from counterstain.errors import CounterstainError, InvalidInputError
from counterstain.explorer.guard import Guard, is_loopback
from counterstain.explorer.item_routes import item_routes
from counterstain.explorer.label_routes import label_routes
from counterstain.explorer.map_routes import map_routes
from counterstain.explorer.plate_routes import plate_routes
from counterstain.explorer.run_reading import read_explorer_run
from counterstain.explorer.session import open_session

__all__ = ["create_app"]

_EVERYWHERE = ("0.0.0.0", "::", "")


def create_app(
    run_folder: str | Path, *, token: str | None = None, host: str = "127.0.0.1"
) -> FastAPI:
    """Make the application that serves a run.

    It reads the run folder and nothing else. It writes there only marks (``annotations.csv``) and
    what it would otherwise compute again (``explorer/``); a run that cannot be written to is
    served all the same.

    Parameters
    ----------
    run_folder : str or Path
        What ``counterstain run`` or ``counterstain overlap`` wrote.
    token : str, optional
        A secret that every request must carry.
    host : str
        The address it is going to listen on: requests for other names are refused.

    Returns
    -------
    FastAPI
        To be run by any ASGI server.

    Raises
    ------
    InvalidInputError
        If there is no run, or nothing of it can be shown; or if other machines can reach `host`
        and there is no token.

    Examples
    --------
    >>> create_app("nowhere")
    Traceback (most recent call last):
    ...
    counterstain.errors.MissingFileError: `run` must be a run folder; nowhere is not there: ...
    """
    if token is None and not is_loopback(host):
        raise InvalidInputError(
            f"`token` must be given where other machines can reach the page; `host` is {host!r}: "
            "pass a long random text, or listen on 127.0.0.1."
        )
    session = open_session(read_explorer_run(run_folder))
    app = FastAPI(title="counterstain explorer", docs_url=None, redoc_url=None, openapi_url=None)
    for routes in (plate_routes, item_routes, map_routes, label_routes):
        app.include_router(routes(session))
    _add_pages(app)
    app.add_exception_handler(CounterstainError, _say)
    every = host in _EVERYWHERE
    app.add_middleware(Guard, hosts=() if every else (host,), any_address=every, token=token)
    app.state.session = session
    return app


async def _say(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 422)


def _add_pages(app: FastAPI) -> None:
    """Serve the files of the page from memory: a name is looked up, never made a path."""
    folder = resources.files("counterstain.explorer") / "static"
    pages = {
        item.name: (item.read_bytes(), mimetypes.guess_type(item.name)[0] or "text/plain")
        for item in folder.iterdir()
        if item.is_file()
    }
    pages = {
        name: (data, "text/javascript" if name.endswith(".js") else kind)
        for name, (data, kind) in pages.items()
    }
    fresh = {"Cache-Control": "no-cache"}

    @app.get("/")
    def read_index() -> Response:
        return Response(pages["index.html"][0], media_type="text/html", headers=fresh)

    @app.get("/favicon.ico")
    def read_icon() -> Response:
        return Response(pages["icon.svg"][0], media_type="image/svg+xml", headers=fresh)

    @app.get("/static/{name}")
    def read_page(name: str) -> Response:
        found: Any = pages.get(name)
        if found is None:
            raise HTTPException(404, "There is no such file.")
        return Response(found[0], media_type=found[1], headers=fresh)
