"""A small archive: stores what it is sent, answers C-ECHO and enough of C-FIND to be asked for an instance.

It stands for the PACS in the demonstration and in tests. It is not durable and not meant for anything else.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind as StudyRootFind,
)
from pynetdicom.sop_class import Verification

from service.dicom.query import Reference

SUCCESS = 0x0000
PENDING = 0xFF00
CANNOT_UNDERSTAND = 0xC000


@dataclass(frozen=True, slots=True)
class Archived:
    """One stored instance; `copies` counts how often it was sent."""

    reference: Reference
    sop_class_uid: str
    path: Path
    copies: int


class Archive:
    """A storage SCP that writes to `folder`; `port` 0 takes a free one."""

    def __init__(self, folder: Path, *, host: str = "127.0.0.1", port: int = 0, ae_title: str = "ARCHIVE") -> None:
        self.folder = folder
        self._address = (host, port)
        self._ae_title = ae_title
        self._stored: dict[str, Archived] = {}
        self._lock = threading.Lock()
        self._server: Any = None

    @property
    def address(self) -> str:
        """AETITLE@host:port, once started."""
        host, port = self._server.server_address[:2]
        return f"{self._ae_title}@{host}:{port}"

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: The address is taken.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        entity = AE(ae_title=self._ae_title)
        entity.supported_contexts = AllStoragePresentationContexts
        entity.add_supported_context(Verification)
        entity.add_supported_context(StudyRootFind)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_C_FIND, self._find)]
        self._server = entity.start_server(self._address, block=False, evt_handlers=handlers)

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()

    def stored(self) -> tuple[Archived, ...]:
        """What it holds, in the order of arrival."""
        with self._lock:
            return tuple(self._stored.values())

    def _store(self, event: Any) -> int:
        header = event.dataset
        if "SOPInstanceUID" not in header or "StudyInstanceUID" not in header:
            return CANNOT_UNDERSTAND
        uid = str(header.SOPInstanceUID)
        # The name on disk is made here: a UID from the wire is data, not a path.
        path = self.folder / f"{hashlib.sha256(uid.encode()).hexdigest()[:16]}.dcm"
        path.write_bytes(event.encoded_dataset())
        reference = Reference(str(header.StudyInstanceUID), str(header.get("SeriesInstanceUID", "")), uid)
        with self._lock:
            before = self._stored.get(uid)
            copies = before.copies + 1 if before else 1
            self._stored[uid] = Archived(reference, str(header.SOPClassUID), path, copies)
        return SUCCESS

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        keys = event.identifier
        for archived in self.stored():
            if _matches(archived.reference, keys):
                yield PENDING, _answer(archived.reference)
        yield SUCCESS, None


def _matches(reference: Reference, keys: Dataset) -> bool:
    pairs = (
        (reference.study_instance_uid, keys.get("StudyInstanceUID")),
        (reference.series_instance_uid, keys.get("SeriesInstanceUID")),
        (reference.sop_instance_uid, keys.get("SOPInstanceUID")),
    )
    return all(not key or value == str(key) for value, key in pairs)


def _answer(reference: Reference) -> Dataset:
    answer = Dataset()
    answer.QueryRetrieveLevel = "IMAGE"
    answer.StudyInstanceUID = reference.study_instance_uid
    answer.SeriesInstanceUID = reference.series_instance_uid
    answer.SOPInstanceUID = reference.sop_instance_uid
    return answer
