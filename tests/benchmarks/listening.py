"""Our listener in a process of its own, for `receivers`; it imports nothing that the service would not."""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from service.dicom.header_scan import read_header
from service.dicom.listener import Listener, ListenerOptions
from service.dicom.tls import Credentials
from service.store.files import Files
from service.store.index import Index
from service.store.records import Added, Reconciled

MOST = 300


class NoIndex:
    """An index that remembers nothing."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *_, **__: []

    def add_instance(self, _: object) -> Added:
        """Whatever comes is new."""
        return Added.NEW

    def reconcile(self, *_: object) -> Any:
        """Nothing to compare with."""
        return Reconciled()


class Unsynced(Files):
    """Files that nobody promises anything about."""

    def begin_journal(self) -> tuple[str, ...]:
        """Keep none."""
        return ()


def _listen(folder: Path, *, durable: bool, fast: bool, certificate: str) -> None:
    index: Any = Index.open(f"sqlite:///{folder}/index.db") if durable else NoIndex()
    if not durable:
        os.fsync = lambda _: None  # type: ignore[assignment]
    credentials = Credentials(Path(certificate), Path(certificate)) if certificate else None
    options = ListenerOptions(
        port=0,
        min_free_bytes=0,
        max_associations=MOST,
        max_half_open=MOST,
        max_half_open_per_peer=MOST,
        fast=fast,
        tls=credentials,
    )
    files = (Files if durable else Unsynced)(folder / "content")
    listener = Listener(options, files, index, read_header, lambda: datetime.now(UTC))
    listener.start()
    gc.freeze()  # as the service does
    (folder / "port.part").write_text(str(listener.address[1]))
    (folder / "port.part").rename(folder / "port")
    while True:
        time.sleep(60)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    place, durable, fast, certificate, clocked = sys.argv[1:]
    if clocked == "True":
        from tests.benchmarks import breakdown

        breakdown.keep(Path(place) / breakdown.SUMS)
    _listen(Path(place), durable=durable == "True", fast=fast == "True", certificate=certificate)
