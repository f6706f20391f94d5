"""A web site on loopback: the viewer, its configuration, and the archive's DICOMweb below the same origin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

ARCHIVE = "/dicom-web"
CONFIG = {
    "routerBasename": None,
    "extensions": [],
    "modes": [],
    "showStudyList": False,
    "maxNumberOfWebWorkers": 2,
    "showWarningMessageForCrossOrigin": False,
    "showCPUFallbackMessage": False,
    "showLoadingIndicator": True,
    "disableConfirmationPrompts": True,  # segments and lines are shown at once, as if "yes" had been clicked
    "investigationalUseDialog": {"option": "never"},
    "measurementTrackingMode": "none",
    "defaultDataSourceName": "archive",
    "dataSources": [
        {
            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
            "sourceName": "archive",
            "configuration": {
                "friendlyName": "Archive of the tests",
                "name": "archive",
                "wadoUriRoot": "/wado",
                "qidoRoot": ARCHIVE,
                "wadoRoot": ARCHIVE,
                "qidoSupportsIncludeField": False,
                "imageRendering": "wadors",
                "thumbnailRendering": "wadors",
                "enableStudyLazyLoad": True,
                "supportsFuzzyMatching": False,
                "supportsWildcard": True,
                "omitQuotationForMultipartRequest": True,
                "bulkDataURI": {"enabled": True},
            },
        }
    ],
}


@contextmanager
def served(folder: Path, archive_port: int) -> Iterator[str]:
    """Serve the viewer in `folder` with the archive behind `archive_port`; gives the address."""

    class Handler(_Handler):
        root, port = folder, archive_port

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(SimpleHTTPRequestHandler):
    root = Path()
    port = 0

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, directory=str(self.root), **named)

    def do_GET(self) -> None:
        if self.path.startswith(ARCHIVE):
            self._forward()
        elif self.path.split("?")[0] == "/app-config.js":
            self._answer(200, "text/javascript", f"window.config = {json.dumps(CONFIG)};".encode())
        else:
            if not Path(self.translate_path(self.path)).is_file():
                self.path = "/index.html"  # the page itself decides what an address means
            super().do_GET()

    def _forward(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            names = ("Accept", "Host")
            connection.request("GET", self.path, headers={name: self.headers[name] for name in names if name in self.headers})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        self._answer(answer.status, answer.headers.get("Content-Type", ""), content)

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *given: Any) -> None:
        """Say nothing."""
