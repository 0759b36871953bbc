"""``counterstain serve``: the live page over a run."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from counterstain.errors import InvalidInputError

__all__ = ["serve"]


def serve(
    folder: Path, /, *, host: str = "127.0.0.1", port: int = 8765, token: str | None = None
) -> None:
    """Explore a run in the browser: carry cells across the boundary, map, select, mark.

    Parameters
    ----------
    folder
        The run folder.
    host
        Address to listen on. Any other than this machine's own needs a token.
    port
        Port to listen on.
    token
        Secret that the page asks for; made up and printed where other machines can reach it.
    """
    from counterstain.explorer import create_app
    from counterstain.explorer.guard import is_loopback

    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(24)
    listening = _listen(host, port)
    with listening:
        app = create_app(folder, token=token, host=host)
        import uvicorn

        shown = f"[{host}]" if ":" in host else host
        secret = f"?token={token}" if token else ""
        print(f"Explorer: http://{shown}:{listening.getsockname()[1]}/{secret}", flush=True)
        print("Stop with Ctrl+C.", flush=True)
        settings = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_keep_alive=30
        )
        uvicorn.Server(settings).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything is read: what fails should fail at once.

    Raises
    ------
    InvalidInputError
        If the port is in use, or the address is not this machine's.
    """
    if not 0 <= port <= 65535:
        raise InvalidInputError(f"`--port` must be 0 to 65535; got {port}: choose another.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(128)
        except OSError:
            found.close()
            raise
    except OSError as error:
        raise InvalidInputError(
            f"`--host` and `--port` must be free to listen on; {host}:{port} is not "
            f"({error.strerror}): choose another with --port, or stop what uses it."
        ) from error
    return found
