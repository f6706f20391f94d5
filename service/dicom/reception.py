"""What becomes of one C-STORE: checked, made durable, indexed, answered. Knows no network.

Whatever reads the wire hands over an `Offered` and sends the `Answer`. Source of the statuses: DICOM PS3.4 table B.2-1 and
PS3.7 annex C.
"""

from __future__ import annotations

import struct
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import structlog

from service.errors import CryomarginError, TryAgain
from service.store.files import Files
from service.store.header import HeaderLike
from service.store.index import Index
from service.store.records import Added, Kept, received

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

# Part of every stored file and so of its hash: it must never change, or the same object would come as another one.
IMPLEMENTATION_CLASS_UID = "2.25.232915710255875071510348660016899711989"
IMPLEMENTATION_VERSION = "CRYOMARGIN"

log = structlog.get_logger(__name__)


class HeaderReader(Protocol):
    """Reads the header of a stored file, or of a bare data set: see `header_scan.read_header`."""

    def __call__(self, content: Path | memoryview, transfer_syntax_uid: str = "", /) -> HeaderLike:
        """The header of `content`; a bare data set needs its `transfer_syntax_uid`."""
        ...


@dataclass(frozen=True, slots=True)
class Offered:
    """A C-STORE request: what its command set says, how its data set is encoded, and the data set itself."""

    sop_class_uid: str
    sop_instance_uid: str
    abstract_syntax_uid: str
    transfer_syntax_uid: str
    dataset: memoryview
    calling_ae: str = ""
    association_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A DICOM status, and for people why (empty for success)."""

    status: int
    comment: str = ""


class Reception:
    """Takes instances in. Below `min_free_bytes` of free disk it refuses, and accepts again when there is room."""

    def __init__(
        self, files: Files, index: Index, read_header: HeaderReader, clock: Callable[[], datetime], min_free_bytes: int
    ) -> None:
        self._files = files
        self._index = index
        self._read_header = read_header
        self._clock = clock
        self._min_free_bytes = min_free_bytes

    def store(self, offered: Offered) -> Answer:
        """Success only when file and row are durable; otherwise a refusal that says why. Never raises."""
        answer = self._answer(offered)
        if answer.status != SUCCESS:
            log.warning("refused", status=f"0x{answer.status:04X}", reason=answer.comment, calling_ae=offered.calling_ae)
        return answer

    def _answer(self, offered: Offered) -> Answer:
        try:
            return self._store(offered)
        except TryAgain as error:
            return Answer(OUT_OF_RESOURCES, error.sentence)
        except CryomarginError as error:
            return Answer(CANNOT_UNDERSTAND, error.sentence)
        except OSError as error:
            return Answer(OUT_OF_RESOURCES, f"The disk does not take it: {error.strerror or type(error).__name__}.")
        except Exception as error:  # noqa: BLE001 - the outer door: whatever happened, the peer gets an answer
            log.error("store_failed", error=type(error).__name__, where=_where(error))  # noqa: TRY400 - values stay out of logs
            return Answer(PROCESSING_FAILURE, "An internal fault; see the log of the service.")

    def _store(self, offered: Offered) -> Answer:
        if self._files.free_bytes() - len(offered.dataset) < self._min_free_bytes:
            return Answer(OUT_OF_RESOURCES, "The disk is nearly full.")
        header = self._read_header(offered.dataset, offered.transfer_syntax_uid)
        contradiction = _contradiction(header, offered)
        if contradiction:
            return Answer(DOES_NOT_MATCH, contradiction)
        self._add(header, offered, self._keep(header, offered))
        return Answer(SUCCESS)

    def _keep(self, header: HeaderLike, offered: Offered) -> Kept:
        with self._files.receive() as incoming:
            incoming.write(file_head(header.sop_class_uid, header.sop_instance_uid, offered.transfer_syntax_uid))
            incoming.write(offered.dataset)
            return incoming.commit()

    def _add(self, header: HeaderLike, offered: Offered, kept: Kept) -> None:
        added = self._index.add_instance(
            received(header, kept, self._clock(), offered.calling_ae, offered.association_id),
        )
        if added is Added.DUPLICATE:
            self._files.remove(kept.key)
        if added is Added.CONFLICT:
            log.warning("conflict", study=header.study_instance_uid, instance=header.sop_instance_uid, key=kept.key)
        else:
            log.debug("stored", study=header.study_instance_uid, instance=header.sop_instance_uid, outcome=added.value)


def _contradiction(header: HeaderLike, offered: Offered) -> str:
    """How the data set contradicts the command set or its presentation context; empty when it does not."""
    if header.sop_class_uid != offered.sop_class_uid:
        return "The SOP class of the data set is not that of the command."
    if header.sop_instance_uid != offered.sop_instance_uid:
        return "The SOP instance of the data set is not that of the command."
    if offered.abstract_syntax_uid != offered.sop_class_uid:
        return "The SOP class is not that of the presentation context."
    return ""


def file_head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble, prefix and file meta information: everything before the data set (PS3.10 section 7.1).

    It holds nothing about sender or time, so that the same data set always makes the same file.
    """
    meta = b"".join(
        (
            struct.pack("<HH2sHL", 0x0002, 0x0001, b"OB", 0, 2) + b"\x00\x01",
            _element(0x0002, b"UI", sop_class_uid),
            _element(0x0003, b"UI", sop_instance_uid),
            _element(0x0010, b"UI", transfer_syntax_uid),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION),
        )
    )
    return bytes(128) + b"DICM" + struct.pack("<HH2sHL", 0x0002, 0x0000, b"UL", 4, len(meta)) + meta


def _element(number: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 0x0002, number, vr, len(value)) + value


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-4:]))
