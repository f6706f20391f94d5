"""Send objects by C-STORE and say for each what came of it."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import Verification
from pynetdicom.status import code_to_category

from service.dicom.association import associate, refusal
from service.dicom.character_sets import rewritten
from service.dicom.destination import EXPLICIT, IMPLICIT, Caller, Destination
from service.errors import CryomarginError, Refused, TryAgain

SUCCESS = 0x0000
WARNINGS = {
    0xB000: "the archive changed values it could not keep (coercion)",
    0xB006: "the archive discarded elements",
    0xB007: "the archive found that the object does not match its SOP class",
}
NO_CONTEXT = 0x0122
PROCESSING_FAILURE = 0x0110
SLOWEST_LINE = 32_000.0  # bytes/s
UNREADABLE = "store.unreadable"  # a file of ours, which says nothing about the destination
UNREADABLE_FAULTS = (OSError, InvalidDicomError, EOFError, AttributeError)  # the last: without the UIDs of its object
MOST_CONTEXTS = 128  # PS3.8: odd numbers up to 255

_CONVERTIBLE = (EXPLICIT, IMPLICIT)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one object: `error` None = stored. `status` is the peer's, None when it gave none."""

    sop_instance_uid: str
    status: int | None
    note: str = ""
    error: CryomarginError | None = None


def send(objects: Sequence[Path], destination: Destination, caller: Caller) -> tuple[Sent, ...]:
    """Send DICOM files over one association (more only when they need more than 128 contexts).

    Raises:
        TryAgain: No association. What fails later stands in the answer for its object.
    """
    return tuple(sending(objects, destination, caller))


def sending(objects: Sequence[Path], destination: Destination, caller: Caller) -> Generator[Sent]:
    """The same, each answer as it comes; who stops asking sends no more.

    Raises:
        TryAgain: No association.
    """
    for batch in _batches(objects, [_meta(path) for path in objects]):
        kinds = _kinds([meta for _path, meta in batch])
        if not kinds:
            yield from (Sent("", None, error=fault) for _path, fault in batch)
            continue
        offered = contexts_for(kinds, destination.syntaxes)
        with associate(destination, caller, offered) as association:
            yield from (_store(association, path, meta, destination, caller) for path, meta in batch)


def echo(destination: Destination, caller: Caller) -> None:
    """C-ECHO.

    Raises:
        TryAgain: No association, or no success.
    """
    with associate(destination, caller, [build_context(Verification)]) as association:
        status = association.send_c_echo().get("Status")
    if status != SUCCESS:
        raise TryAgain("destination.echo", f"{destination.name} answered the echo with {_hex(status)}")


def negotiate(sop_classes: Collection[str], destination: Destination, caller: Caller) -> dict[str, tuple[str, ...]]:
    """The uncompressed transfer syntaxes in which the destination takes each SOP class; it is sent nothing.

    Raises:
        TryAgain: No association.
    """
    pairs = [(sop_class, syntax) for sop_class in sorted(sop_classes) for syntax in _CONVERTIBLE]
    offered = [build_context(Verification), *(build_context(sop_class, syntax) for sop_class, syntax in pairs)]
    with associate(destination, caller, offered) as association:
        taken = {(str(one.abstract_syntax), str(one.transfer_syntax[0])) for one in association.accepted_contexts}
    return {sop_class: tuple(one for one in _CONVERTIBLE if (sop_class, one) in taken) for sop_class in sop_classes}


def contexts_for(kinds: Sequence[tuple[str, str]], syntaxes: tuple[str, ...] = _CONVERTIBLE) -> list[PresentationContext]:
    """One presentation context for each (SOP class, transfer syntax); uncompressed objects are offered in all `syntaxes`.

    >>> [len(context.transfer_syntax) for context in contexts_for([("1.2", "1.2.840.10008.1.2.1")])]
    [2]
    """
    offers = {(sop_class, syntaxes if syntax in _CONVERTIBLE else (syntax,)) for sop_class, syntax in kinds}
    return [build_context(sop_class, list(syntaxes)) for sop_class, syntaxes in sorted(offers)]


def unreadable(fault: Exception) -> CryomarginError:
    """What is told about an object whose file here cannot be read: a disk may come back, a file that is gone does not."""
    why = fault.strerror if isinstance(fault, OSError) else "it is no DICOM file"
    sentence = f"the file of this object cannot be read here ({why or type(fault).__name__})"
    if isinstance(fault, OSError) and not isinstance(fault, FileNotFoundError):
        return TryAgain(UNREADABLE, sentence)
    return Refused(UNREADABLE, f"{sentence}: let the study be analysed again, which makes it anew", PROCESSING_FAILURE)


def _meta(path: Path) -> Any:
    """The file meta information, or the error that is told instead."""
    try:
        meta = read_file_meta_info(path)
        _kinds([meta])
    except UNREADABLE_FAULTS as fault:
        return unreadable(fault)
    return meta


def _kinds(metas: Sequence[Any]) -> list[tuple[str, str]]:
    """SOP class and transfer syntax of each object that can be read."""
    readable = [meta for meta in metas if not isinstance(meta, CryomarginError)]
    return [(str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)) for meta in readable]


def _batches(objects: Sequence[Path], metas: Sequence[Any]) -> Iterator[list[tuple[Path, Any]]]:
    """Objects in order, split where one association would need too many contexts."""
    batch: list[tuple[Path, Any]] = []
    kinds: set[tuple[str, str]] = set()
    for path, meta in zip(objects, metas, strict=True):
        kinds.update(_kinds([meta]))
        if len(kinds) > MOST_CONTEXTS:
            yield batch
            batch, kinds = [], set(_kinds([meta]))
        batch.append((path, meta))
    if batch:
        yield batch


def _store(association: Any, path: Path, meta: Any, destination: Destination, caller: Caller) -> Sent:
    if isinstance(meta, CryomarginError):
        return Sent("", None, error=meta)
    uid = str(meta.MediaStorageSOPInstanceUID)
    if not association.is_established:
        return Sent(uid, None, error=TryAgain("destination.lost", f"{destination.name} ended the association"))
    # The answer is waited for from the first byte on: a slow line must not fail at every large object, for ever.
    try:
        patience, item = caller.timeout_s + path.stat().st_size / SLOWEST_LINE, dcmread(path)
    except UNREADABLE_FAULTS as fault:
        return Sent(uid, None, error=unreadable(fault))
    association.dimse_timeout = association.network_timeout = patience
    try:
        status = association.send_c_store(rewritten(item, destination.character_set)).get("Status")
    except ValueError:
        return Sent(
            uid, None, error=Refused("destination.context_refused", _refused(association, meta, destination), NO_CONTEXT)
        )
    except RuntimeError:  # the association ended between the look above and the call
        status = None
    return outcome(uid, status, destination)


def _refused(association: Any, meta: Any, destination: Destination) -> str:
    """What of an object's kind the destination said no to: the SOP class, or each transfer syntax offered for it."""
    kind = UID(meta.MediaStorageSOPClassUID)
    reasons = [refusal(context) for context in association.rejected_contexts if context.abstract_syntax == kind]
    return f"{destination.name} does not accept objects of the kind {'; '.join(dict.fromkeys(reasons)) or kind.name}"


def outcome(uid: str, status: int | None, destination: Destination) -> Sent:
    """What a C-STORE status means for us (PS3.4 B.2.3, PS3.7 annex C)."""
    if status == SUCCESS:
        return Sent(uid, status)
    if status is None:
        return Sent(uid, None, error=TryAgain("destination.no_status", f"{destination.name} gave no answer to C-STORE"))
    if code_to_category(status) == "Warning" or status in WARNINGS:
        return Sent(uid, status, note=WARNINGS.get(status, f"stored with warning {_hex(status)}"))
    if status & 0xFF00 == 0xA700 or status == PROCESSING_FAILURE:
        return Sent(uid, status, error=TryAgain("destination.busy", f"{destination.name} cannot store it now ({_hex(status)})"))
    sentence = f"{destination.name} refused the object ({_hex(status)})"
    return Sent(uid, status, error=Refused("destination.refused", sentence, status))


def _hex(status: int | None) -> str:
    return "no status" if status is None else f"0x{status:04X}"
