"""The presentation contexts that the listener accepts: every storage class in every transfer syntax.

Source: DICOM PS3.4 annex B.5 and PS3.6 annex A, as pydicom and pynetdicom list them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydicom.uid import UID_dictionary
from pynetdicom import ALL_TRANSFER_SYNTAXES, register_uid
from pynetdicom.presentation import AllStoragePresentationContexts, PresentationContext, build_context
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import Verification, uid_to_service_class

from service.dicom import commitment

# Classes of vendors that travel inside ordinary MR studies: a scanner that may not send one often stops sending the rest.
VENDOR_CLASSES = (
    "1.3.12.2.1107.5.9.1",  # Siemens CSA Non-Image Storage
    "1.3.46.670589.11.0.0.12.1",  # Philips Private MR Spectrum Storage
    "1.3.46.670589.11.0.0.12.2",  # Philips Private MR Series Data Storage
    "1.3.46.670589.11.0.0.12.4",  # Philips Private MR Examcard Storage
)

# The order in which one is chosen when a peer offers several in one context: what everybody can read, then lossless, then
# the rest as the standard lists it.
_PREFERRED = (
    "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
    "1.2.840.10008.1.2",  # Implicit VR Little Endian
    "1.2.840.10008.1.2.2",  # Explicit VR Big Endian
    "1.2.840.10008.1.2.1.99",  # Deflated Explicit VR Little Endian
    "1.2.840.10008.1.2.5",  # RLE Lossless
    "1.2.840.10008.1.2.4.80",  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.70",  # JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.57",  # JPEG Lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.201",  # High-Throughput JPEG 2000 Lossless
)
# Not encodings of a data set in a C-STORE: MIME, XML and the real-time video of SMPTE ST 2110.
_ELSEWHERE = ("1.2.840.10008.1.2.6.", "1.2.840.10008.1.2.7.")

_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
# Non-Patient Object Storage (PS3.4 annex GG): has no study to belong to.
_NO_PATIENT = frozenset(_STORAGE_ROOT + tail for tail in ("200.1", "200.3", "200.7", "201.1"))


class _Shared(list[Any]):
    """A list that is not copied: pynetdicom deep-copies its contexts for every association, and never changes them."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _Shared:
        return self


def transfer_syntaxes() -> list[str]:
    """All transfer syntaxes of the standard, retired ones too, in our order of preference."""
    known = [uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"]
    merged = dict.fromkeys([*_PREFERRED, *ALL_TRANSFER_SYNTAXES, *known])
    return [uid for uid in merged if not uid.startswith(_ELSEWHERE)]


def storage_classes(further: Iterable[str] = VENDOR_CLASSES) -> list[str]:
    """All storage classes of the standard, retired ones too, and `further` ones."""
    current = [str(context.abstract_syntax) for context in AllStoragePresentationContexts]
    old = [uid for uid, entry in UID_dictionary.items() if uid.startswith(_STORAGE_ROOT) and "Storage" in entry[0]]
    return [uid for uid in dict.fromkeys([*current, *old, *further]) if uid not in _NO_PATIENT]


def acceptor_contexts(further: Iterable[str] = VENDOR_CLASSES) -> list[PresentationContext]:
    """Verification, reports of storage commitment, and every storage class, each in every transfer syntax."""
    syntaxes = transfer_syntaxes()
    classes = storage_classes(further)
    for uid in classes:
        _make_known(uid)
    return _Shared([build_context(Verification), commitment.context(), *(build_context(uid, syntaxes) for uid in classes)])


def _make_known(uid: str) -> None:
    """Let pynetdicom serve a class that it does not know as storage."""
    if uid_to_service_class(uid) is not StorageServiceClass:
        register_uid(uid, f"Storage_{uid.replace('.', '_')}", StorageServiceClass)
