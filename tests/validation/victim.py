"""Listeners to be killed: for each line on standard input one is forked, over the store in the folder that is given."""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pynetdicom.sop_class  # noqa: F401 - what takes long to import is imported once
import sqlalchemy.dialects.sqlite  # noqa: F401
from alembic import command, config  # noqa: F401

from service.dicom.header_scan import read_header
from service.dicom.listener import Listener, ListenerOptions
from service.store.files import Files
from service.store.index import Index


def main(folder: Path) -> None:
    """Fork until nobody asks any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        if os.fork() == 0:
            _serve(folder)


def _serve(folder: Path) -> None:
    """Until killed."""
    index = Index.open(f"sqlite:///{folder}/index.db")
    files = Files(folder / "content")
    listener = Listener(ListenerOptions(port=0, min_free_bytes=0), files, index, read_header, lambda: datetime.now(UTC))
    listener.start()
    (folder / "port.part").write_text(f"{listener.address[1]} {os.getpid()}")
    (folder / "port.part").rename(folder / "port")
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
