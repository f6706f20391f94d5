"""The web server as a part of the service: a thread that can be stopped."""

from __future__ import annotations

import socket
import threading
from typing import Any

import structlog

LEAVES_S = 10.0  # a request that cannot be cancelled must not hold up what comes after it

log = structlog.get_logger("service")


class WebServer:
    """uvicorn in a thread, on a socket that is already bound (so that an address in use is known before anything starts)."""

    def __init__(self, app: Any, bound: socket.socket, most_connections: int | None = None) -> None:
        import uvicorn

        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
            lifespan="off",
            limit_concurrency=most_connections,
        )
        self._socket = bound
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [bound]}, name="web", daemon=True)

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def stop(self) -> None:
        """Finish open requests and stop."""
        self._server.should_exit = True
        self._thread.join(LEAVES_S)
        if self._thread.is_alive():
            log.warning("web_left_behind", seconds=LEAVES_S)
        self._socket.close()
