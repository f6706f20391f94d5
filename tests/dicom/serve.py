"""A listener in a process of its own, for tests that kill it; it writes its port into FOLDER/port."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from service.dicom.header_scan import read_header
from service.dicom.listener import Listener, ListenerOptions
from service.store.files import Files
from service.store.index import Index


def now() -> datetime:
    """The clock of the tests."""
    return datetime.now(UTC)


def main(folder: Path) -> None:
    """Serve until killed."""
    index = Index.open(f"sqlite:///{folder}/index.db")
    listener = Listener(ListenerOptions(port=0, min_free_bytes=0), Files(folder / "content"), index, read_header, now)
    listener.start()
    (folder / "port.part").write_text(str(listener.address[1]))
    (folder / "port.part").rename(folder / "port")
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
