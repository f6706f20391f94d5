"""What becomes of one instance that is sent to us: written, checked, made durable, indexed, answered. Knows no network.

The one door, for C-STORE and for whatever else brings instances: `begin` with what is announced, `write` the bare data set in
pieces, `finish` for the answer. Source of the statuses: DICOM PS3.4 table B.2-1 and PS3.7 annex C.
"""

from __future__ import annotations

import struct
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import structlog

from service import metrics
from service.dicom.access import printable
from service.dicom.file_meta import file_meta
from service.dicom.header_scan import is_uid
from service.errors import CryomarginError, TryAgain, Unusable
from service.store.files import Files, Incoming
from service.store.header import HeaderLike
from service.store.index import Index
from service.store.quarantine import Quarantine, Refusal
from service.store.records import Added, Kept, received
from service.store.rows import Rows

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

_BEGINNING = 16 * 1024  # bytes: holds what is asked of the header of an ordinary object
_ROOM_EVERY = 16 * 1024 * 1024  # bytes after which the room on the disk is looked at again

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


class HeaderReader(Protocol):
    """Reads the header of a stored file, or of a bare data set: see `header_scan.read_header`."""

    def __call__(self, content: Path | memoryview, transfer_syntax_uid: str = "", /) -> HeaderLike:
        """The header of `content`; a bare data set needs its `transfer_syntax_uid`."""
        ...


@dataclass(frozen=True, slots=True)
class Offered:
    """What is announced before the first byte comes, by a command set or by the file meta information of a file.

    `abstract_syntax_uid` is that of the presentation context, empty where there is none; `study_instance_uid` that of the
    address, empty where it names none.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    abstract_syntax_uid: str = ""
    calling_ae: str = ""
    association_id: str = ""
    study_instance_uid: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A DICOM status, for people why (empty for success), and what a stored instance was to its study."""

    status: int
    comment: str = ""
    added: Added | None = field(default=None, compare=False)


class Reception:
    """Takes instances in. Below `min_free_bytes` of free disk it refuses, and accepts again when there is room.

    What cannot be understood goes to the `quarantine`.
    """

    def __init__(
        self,
        files: Files,
        index: Index,
        read_header: HeaderReader,
        clock: Callable[[], datetime],
        min_free_bytes: int,
        quarantine: Quarantine,
    ) -> None:
        self._files = files
        self._rows = Rows(files, index)
        self._read_header = read_header
        self._clock = clock
        self._min_free_bytes = min_free_bytes
        self._quarantine = quarantine
        self._log = log.bind()  # once: to look it up for each instance would cost more than its hash does

    def begin(self, offered: Offered, size: int = 0) -> Arriving:
        """The way in for one instance, whose data set comes in pieces; `size` in bytes, 0 when unknown. Never raises."""
        return Arriving(self, offered, size)

    def store(self, offered: Offered, dataset: bytes | memoryview) -> Answer:
        """Success only when file and row are durable; otherwise a refusal that says why. Never raises."""
        with self.begin(offered, len(dataset)) as arriving:
            arriving.write(dataset)
            return arriving.finish()

    def open(self, offered: Offered, size: int) -> Incoming:
        """A file that begins with what was announced.

        Raises:
            Unusable: when what was announced names no instance.
            TryAgain: when the disk is nearly full, or the index is known to be away.
        """
        if not (is_uid(offered.sop_class_uid) and is_uid(offered.sop_instance_uid) and is_uid(offered.transfer_syntax_uid)):
            raise Unusable("reception.uid", "The class, the instance or the transfer syntax that was announced is not a UID.")
        self._rows.catch_up()
        self.require_room(size)
        incoming = self._files.receive()
        incoming.write(file_head(offered.sop_class_uid, offered.sop_instance_uid, offered.transfer_syntax_uid))
        return incoming

    def require_room(self, size: int) -> None:
        """Nothing, when `size` more bytes leave enough room.

        Raises:
            TryAgain: when they do not.
        """
        if self._files.free_bytes() - size < self._min_free_bytes:
            raise TryAgain("reception.disk", "The disk is nearly full.")

    def keep(self, offered: Offered, incoming: Incoming, head: int) -> Answer:
        """Make a whole instance durable and known; its data set begins behind `head` bytes.

        Raises:
            CryomarginError, OSError: when that cannot be; nothing of it may then stay.
        """
        header = self._header(offered, incoming, head)
        contradiction = _contradiction(header, offered)
        if contradiction:
            return self.set_aside(offered, incoming, Answer(DOES_NOT_MATCH, contradiction))
        return Answer(SUCCESS, added=self._add(header, offered, incoming.commit()))

    def set_aside(self, offered: Offered, incoming: Incoming | None, answer: Answer) -> Answer:
        """The answer, once what cannot be understood is listed for a person to look at. Never raises."""
        refusal = Refusal(
            status=answer.status,
            reason=answer.comment,
            calling_ae=printable(offered.calling_ae),
            sop_class_uid=printable(offered.sop_class_uid),
            transfer_syntax_uid=printable(offered.transfer_syntax_uid),
        )
        self._quarantine.keep(incoming, refusal, self._clock())
        return answer

    def _header(self, offered: Offered, incoming: Incoming, head: int) -> HeaderLike:
        """Nearly always the first bytes hold all that is asked; a header that is longer is read from the file."""
        beginning = incoming.read(_BEGINNING, head)
        try:
            return self._read_header(memoryview(beginning), offered.transfer_syntax_uid)
        except CryomarginError:
            if len(beginning) < _BEGINNING:
                raise
            return self._read_header(incoming.part)

    def _add(self, header: HeaderLike, offered: Offered, kept: Kept) -> Added:
        new = received(header, kept, self._clock(), offered.calling_ae, offered.association_id)
        added = self._rows.add(new)
        if added is Added.CONFLICT:
            log.warning("conflict", study=header.study_instance_uid, instance=header.sop_instance_uid, key=kept.key)
        else:
            self._log.debug("stored", study=header.study_instance_uid, instance=header.sop_instance_uid, outcome=added.value)
        return added


class Arriving:
    """One instance on its way in: write its data set in pieces, then finish. Without `finish` nothing of it stays.

    What goes wrong is kept for the answer: the pieces that still come are taken and dropped, so that the sender can hear why.
    """

    def __init__(self, reception: Reception, offered: Offered, size: int) -> None:
        self._reception = reception
        self._offered = offered
        self._incoming: Incoming | None = None
        self._refusal: Answer | None = None
        self._unchecked = 0
        self.size = 0  # bytes of the data set so far
        self._incoming = self._attempt(reception.open, offered, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()

    @property
    def refused(self) -> bool:
        """Whether the answer is already known to be a refusal: who can, stops sending."""
        return self._refusal is not None

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """The next bytes of the data set. Never raises."""
        self.size += len(piece)
        if self._incoming is not None:
            self._attempt(self._write, self._incoming, piece)

    def finish(self) -> Answer:
        """Success only when file and row are durable; otherwise a refusal that says why. Never raises."""
        answer = None
        if (incoming := self._incoming) is not None:
            answer = self._attempt(self._reception.keep, self._offered, incoming, incoming.size - self.size)
        answer = self._refusal or answer or Answer(PROCESSING_FAILURE, "The instance was already answered or abandoned.")
        self.abandon()
        metrics.answered(answer.status, self.size)
        if answer.status != SUCCESS:
            log.warning("refused", status=f"0x{answer.status:04X}", reason=answer.comment, calling_ae=self._offered.calling_ae)
        return answer

    def abandon(self) -> None:
        """Leave nothing behind, unless it is finished. Never raises; harmless when repeated."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            with suppress(OSError):  # the start-up sweeps what a failing disk does not let go
                incoming.close()

    def _write(self, incoming: Incoming, piece: bytes | bytearray | memoryview) -> None:
        self._unchecked += len(piece)
        if self._unchecked > _ROOM_EVERY:
            self._reception.require_room(len(piece))
            self._unchecked = 0
        incoming.write(piece)

    def _attempt(self, action: Callable[..., Result], *arguments: Any) -> Result | None:
        """Do it; what goes wrong inside becomes the refusal of this instance."""
        try:
            return action(*arguments)
        except TryAgain as error:
            self._refuse(Answer(OUT_OF_RESOURCES, error.sentence))
        except CryomarginError as error:
            answer = Answer(CANNOT_UNDERSTAND, error.sentence)
            self._refuse(self._reception.set_aside(self._offered, self._incoming, answer))
        except OSError as error:
            self._refuse(Answer(OUT_OF_RESOURCES, f"The disk does not take it: {error.strerror or type(error).__name__}."))
        except Exception as error:  # noqa: BLE001 - the outer door: whatever happened, the peer gets an answer
            log.error("store_failed", error=type(error).__name__, where=where(error))  # noqa: TRY400 - values stay out of logs
            self._refuse(Answer(PROCESSING_FAILURE, "An internal fault; see the log of the service."))
        return None

    def _refuse(self, answer: Answer) -> None:
        self._refusal = answer
        self.abandon()


def _contradiction(header: HeaderLike, offered: Offered) -> str:
    """How the data set contradicts the command set or its presentation context; empty when it does not."""
    if header.sop_class_uid != offered.sop_class_uid:
        return "The SOP class of the data set is not that of the command."
    if header.sop_instance_uid != offered.sop_instance_uid:
        return "The SOP instance of the data set is not that of the command."
    if offered.study_instance_uid not in ("", header.study_instance_uid):
        return "The study of the data set is not that of the address."
    if offered.abstract_syntax_uid not in ("", offered.sop_class_uid):
        return "The SOP class is not that of the presentation context."
    return ""


def file_head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble, prefix and file meta information: everything before the data set (PS3.10 section 7.1).

    It holds nothing about sender or time, so that the same data set always makes the same file.
    """
    meta = file_meta(sop_class_uid, sop_instance_uid, transfer_syntax_uid)
    return bytes(128) + b"DICM" + struct.pack("<HH2sHL", 0x0002, 0x0000, b"UL", 4, len(meta)) + meta


def where(error: BaseException) -> str:
    """The last places in the source that an error came through; for a log, without values."""
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-4:]))
