"""A running listener on a free port, with its store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from service.dicom.header_scan import read_header
from service.dicom.listener import Listener, ListenerOptions
from service.store.files import Files
from service.store.index import Index


@dataclass(frozen=True)
class Station:
    """A listener and what is behind it."""

    listener: Listener
    files: Files
    index: Index

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.listener.address

    def stored(self) -> list[bytes]:
        """The content of all received files."""
        return [self.files.path(key).read_bytes() for key in self.files.received_keys()]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "content")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(f"sqlite:///{tmp_path}/index.db") as opened:
        yield opened


@pytest.fixture
def serve(files: Files, index: Index) -> Iterator[Callable[..., Station]]:
    """Start a listener with the given options; it ends with the test."""
    running: list[Listener] = []

    def start(**options: Any) -> Station:
        wanted = replace(ListenerOptions(port=0, min_free_bytes=0, acse_timeout_s=5), **options)
        listener = Listener(wanted, files, index, read_header, lambda: datetime.now(UTC))
        listener.start()
        running.append(listener)
        return Station(listener, files, index)

    yield start
    for listener in running:
        listener.stop(drain_s=0)
