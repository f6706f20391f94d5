"""A DICOM file, from a disk or an upload, at the door that a C-STORE goes through: same checks, same promise, same statuses.

The file meta information says what a command set and a presentation context would have said. Source: PS3.10 section 7.1; the
statuses of what is not taken: PS3.18 annex I.2.2 and PS3.7 annex C.5.6.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from service import metrics
from service.dicom.contexts import VENDOR_CLASSES, storage_classes, transfer_syntaxes
from service.dicom.header_scan import FileMeta, read_file_meta
from service.dicom.reception import CANNOT_UNDERSTAND, Answer, Arriving, Offered, Reception
from service.errors import Unusable

NOT_SUPPORTED, SYNTAX_NOT_SUPPORTED = 0x0122, 0xC122
DIRECTORY = "1.2.840.10008.1.3.10"  # Media Storage Directory: a DICOMDIR, which describes other files
MOST_META = 64 * 1024  # the longest meta information that is read: real ones have less than 1 KB


@dataclass(frozen=True, slots=True)
class Bringer:
    """Who brings files, for the index: as a calling AE title and an association would say it.

    `study_instance_uid` is the only study whose instances are taken; empty for any.
    """

    calling_ae: str
    association_id: str
    study_instance_uid: str = ""


class FileDoor:
    """Takes in whole DICOM files by way of `reception`; `further` are private storage classes to accept."""

    def __init__(self, reception: Reception, further: Iterable[str] = VENDOR_CLASSES) -> None:
        self._reception = reception
        self._classes = frozenset(storage_classes(further))
        self._syntaxes = frozenset(transfer_syntaxes())

    def begin(self, bringer: Bringer, size: int = 0) -> ArrivingFile:
        """The way in for one file, which comes in pieces; `size` in bytes, 0 when unknown."""
        return ArrivingFile(self, bringer, size)

    def open(self, meta: FileMeta, bringer: Bringer, size: int) -> Arriving | Answer:
        """The way in for the data set of a file, or why it is not taken."""
        if meta.sop_class_uid not in self._classes:
            return Answer(NOT_SUPPORTED, "The SOP class is no storage class that is accepted.")
        if meta.transfer_syntax_uid not in self._syntaxes:
            return Answer(SYNTAX_NOT_SUPPORTED, "The transfer syntax is not one of the standard.")
        offered = Offered(
            sop_class_uid=meta.sop_class_uid,
            sop_instance_uid=meta.sop_instance_uid,
            transfer_syntax_uid=meta.transfer_syntax_uid,
            calling_ae=bringer.calling_ae,
            association_id=bringer.association_id,
            study_instance_uid=bringer.study_instance_uid,
        )
        return self._reception.begin(offered, max(0, size - meta.length))


class ArrivingFile:
    """One file on its way in: write it in pieces, then finish. Without `finish` nothing of it stays."""

    def __init__(self, door: FileDoor, bringer: Bringer, size: int) -> None:
        self._door = door
        self._bringer = bringer
        self._size = size
        self._head = bytearray()
        self._way: Arriving | Answer | None = None
        self._undo = ExitStack()
        self.meta = FileMeta("", "", "", 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._undo.close()

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """The next bytes of the file. Never raises."""
        if isinstance(self._way, Arriving):
            self._way.write(piece)
        elif self._way is None:
            self._head += piece
            if len(self._head) >= MOST_META:
                self._begin()

    def finish(self) -> Answer:
        """Success only when the instance cannot be lost any more; otherwise a refusal that says why. Never raises."""
        if self._way is None:
            self._begin()
        if isinstance(self._way, Arriving):
            return self._way.finish()
        refusal = self._way or Answer(CANNOT_UNDERSTAND)
        metrics.answered(refusal.status, self._size)
        return refusal

    def _begin(self) -> None:
        """The meta information is there: what follows goes on as the data set."""
        try:
            self.meta = read_file_meta(memoryview(self._head)[:MOST_META])
        except Unusable as error:
            self._way = Answer(CANNOT_UNDERSTAND, error.sentence)
        else:
            self._way = self._door.open(self.meta, self._bringer, self._size)
        if isinstance(self._way, Arriving):
            self._undo.enter_context(self._way)
            self._way.write(bytes(self._head[self.meta.length :]))
        self._head.clear()
