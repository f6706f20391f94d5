"""Read just enough of a header to file an instance, without building a data set.

A scan over the top-level elements up to SeriesNumber (0020,0011); it never recurses and never reads pixels, so a deep or
long object costs no more than a plain one. Source: DICOM PS3.5 sections 7.1, 7.5 and annex A; PS3.10 section 7.1.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from pydicom.charset import CODES_TO_ENCODINGS, handled_encodings, python_encoding
from pydicom.uid import UID

from service.codes import DEVICE_UID
from service.dicom.plain_scan import plain_values
from service.errors import Unusable
from service.study.assemble import DRAWINGS, IMAGES

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
_PAPYRUS = "1.2.840.10008.1.20"
_PLAIN = frozenset({IMPLICIT_LITTLE, "1.2.840.10008.1.2.1"})
# These deflate the whole data set (PS3.5 A.5, and the JPIP ones that refer to it), not only the pixels.
_DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})

_CHARSET, _CLASS, _INSTANCE, _MODALITY = 0x00080005, 0x00080016, 0x00080018, 0x00080060
_DESCRIPTION, _PATIENT, _DEVICE = 0x0008103E, 0x00100020, 0x00181002
_STUDY, _SERIES, _NUMBER = 0x0020000D, 0x0020000E, 0x00200011
_WANTED = frozenset(
    {_CHARSET, _CLASS, _INSTANCE, _MODALITY, _DESCRIPTION, _PATIENT, _DEVICE, _STUDY, _SERIES, _NUMBER},
)
_META_CLASS, _META_INSTANCE, _SYNTAX = 0x00020002, 0x00020003, 0x00020010
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_BEFORE_ESCAPE = re.compile(rb"(?=\x1b)")
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")

_LONGEST_VALUE = 16 * 1024
_LONGEST_DESCRIPTION = 1024  # only shown: the rest of a longer one is left where it is
_MOST_ELEMENTS = 200_000  # a second's work; the reference to ten thousand images has half as many
_INFLATED = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Header:
    """What an instance says of itself, as far as filing it needs."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str = ""
    series_number: int | None = None
    series_description: str = ""
    patient_id: str = ""
    device_uid: str = ""

    @property
    def reason_ignored(self) -> str:
        """Why the instance starts no analysis (one sentence); empty when it takes part."""
        if is_ours(self):
            return "Made by this service: its own results start no analysis."
        if self.sop_class_uid in IMAGES | DRAWINGS:
            return ""
        return f"{UID(self.sop_class_uid).name} is neither an MR image nor a drawing: stored, not analysed."


def is_ours(header: Header) -> bool:
    """Whether this service made the instance."""
    return header.device_uid == DEVICE_UID


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What stands before the data set of a DICOM file, `length` bytes in all; a UID that is missing there is empty."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    length: int


def read_file_meta(head: bytes | memoryview) -> FileMeta:
    """The file meta information (PS3.10 section 7.1) at the beginning of a file.

    Raises:
        Unusable: when this is no DICOM file, or when the meta information does not end within `head`.
    """
    stream = io.BytesIO(head)
    found = _file_meta(stream, len(head))
    return FileMeta(
        sop_class_uid=_text(found.get(_META_CLASS, b""), b""),
        sop_instance_uid=_text(found.get(_META_INSTANCE, b""), b""),
        transfer_syntax_uid=_uid(found, _SYNTAX, "TransferSyntaxUID"),
        length=stream.tell(),
    )


def is_uid(text: str) -> bool:
    """Whether `text` has the form of a UID (PS3.5 section 9.1; leading zeros of a component are let through)."""
    return len(text) <= 64 and _has_form(text)


@lru_cache(maxsize=1024)  # those of study, series and classes come again and again
def _has_form(text: str) -> bool:
    return _UID.fullmatch(text) is not None


def read_header(content: Path | bytes | memoryview, transfer_syntax_uid: str = "") -> Header:
    """The header of a DICOM file, or of a bare data set in `transfer_syntax_uid` as it travels in a C-STORE.

    Raises:
        Unusable: when this is not DICOM, ends inside the header, or lacks one of its four UIDs.
    """
    if isinstance(content, Path):
        with content.open("rb") as file:
            return _read(file, os.fstat(file.fileno()).st_size, transfer_syntax_uid)
    if transfer_syntax_uid in _PLAIN:
        found = plain_values(bytes(content), _WANTED, _NUMBER, _MOST_ELEMENTS, explicit=transfer_syntax_uid != IMPLICIT_LITTLE)
        if found is not None:
            return _header(found, transfer_syntax_uid)
    return _read(io.BytesIO(content), len(content), transfer_syntax_uid)


def _read(stream: BinaryIO, size: int, syntax: str) -> Header:
    syntax = syntax or _uid(_file_meta(stream, size), _SYNTAX, "TransferSyntaxUID")
    if syntax in _DEFLATED:
        inflated = _inflate(stream)
        stream, size = io.BytesIO(inflated), len(inflated)
    implicit = syntax in (IMPLICIT_LITTLE, _PAPYRUS)
    scan = _Scan(stream, size, order=">" if syntax == EXPLICIT_BIG else "<", explicit=not implicit)
    return _header(scan.run(), syntax)


def _file_meta(stream: BinaryIO, size: int) -> dict[int, bytes]:
    """The wanted values of the meta information; afterwards the stream stands at the data set."""
    if stream.read(132)[128:] != b"DICM":
        raise Unusable("header.not_dicom", "This is not a DICOM file: the prefix DICM is missing.")
    wanted = frozenset({_META_CLASS, _META_INSTANCE, _SYNTAX})
    return _Scan(stream, size, order="<", explicit=True, wanted=wanted, last=0x0002FFFF).run()


def _inflate(stream: BinaryIO) -> bytes:
    """The beginning of a deflated data set; a bomb is not inflated any further."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read(_INFLATED), _INFLATED)
    except zlib.error as error:
        raise Unusable("header.deflate", "The data set cannot be inflated although its transfer syntax says so.") from error


def _header(found: dict[int, bytes], syntax: str) -> Header:
    charset = found.get(_CHARSET, b"")
    return Header(
        study_instance_uid=_uid(found, _STUDY, "StudyInstanceUID"),
        series_instance_uid=_uid(found, _SERIES, "SeriesInstanceUID"),
        sop_instance_uid=_uid(found, _INSTANCE, "SOPInstanceUID"),
        sop_class_uid=_uid(found, _CLASS, "SOPClassUID"),
        transfer_syntax_uid=syntax,
        modality=_text(found.get(_MODALITY, b""), b""),
        series_number=_number(found.get(_NUMBER, b"")),
        series_description=_text(found.get(_DESCRIPTION, b""), charset),
        patient_id=_text(found.get(_PATIENT, b""), charset),
        device_uid=_text(found.get(_DEVICE, b""), b""),
    )


def _uid(found: dict[int, bytes], tag: int, name: str) -> str:
    value = found.get(tag, b"").decode("latin-1").rstrip("\0 ")
    if not value:
        raise Unusable("header.uid_missing", f"The object has no {name}.")
    if not is_uid(value):
        raise Unusable("header.uid_invalid", f"The {name} of the object is not a UID.")
    return value


def _number(value: bytes) -> int | None:
    text = _text(value, b"")
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,12}", text, re.ASCII) else None


def _text(value: bytes, charset: bytes) -> str:
    """Readable text; what the character set cannot say is replaced, control characters go (databases refuse NUL)."""
    if not value:
        return ""
    if not charset and value.isascii() and b"\x1b" not in value:
        return _printable(value.decode("ascii"))
    names = [name.strip() for name in charset.decode("latin-1").rstrip("\0 ").split("\\")]
    encodings = [python_encoding.get(name, "iso8859") for name in names]
    text = "".join(_fragment(part, encodings[0]) for part in _BEFORE_ESCAPE.split(value))
    return _printable(text)


def _printable(text: str) -> str:
    return (text if text.isprintable() else "".join(char for char in text if char.isprintable())).strip()


def _fragment(part: bytes, first: str) -> str:
    """What stands up to the next escape sequence (PS3.5 6.1.2.5); unknown ones and letters are replaced, nothing warns."""
    if not part.startswith(b"\x1b"):
        return str(part.decode(first, errors="replace"))
    escape = next((code for code in CODES_TO_ENCODINGS if part.startswith(code)), b"")
    encoding = CODES_TO_ENCODINGS.get(escape, first)
    letters = part if encoding in handled_encodings else part[len(escape) :]
    return str(letters.decode(encoding, errors="replace"))


class _Scan:
    """One pass over the elements of a stream that has `size` bytes in all."""

    def __init__(
        self,
        stream: BinaryIO,
        size: int,
        *,
        order: str,
        explicit: bool,
        wanted: frozenset[int] = _WANTED,
        last: int = _NUMBER,
    ) -> None:
        self._stream = stream
        self._left = size - stream.tell()
        self._tag = struct.Struct(f"{order}HH")
        self._long = struct.Struct(f"{order}L")
        self._half = struct.Struct(f"{order}H")
        self._wanted = wanted
        self._last = last
        # One entry for each open level of undefined length: whether its elements have an explicit VR.
        self._levels = [explicit]
        self._found: dict[int, bytes] = {}

    def run(self) -> dict[int, bytes]:
        """The values of the wanted top-level elements; the stream stands behind the last one that was looked for."""
        for _ in range(_MOST_ELEMENTS):
            if self._left == 0:
                return self._found
            head = self._take(8)
            group, element = self._tag.unpack_from(head)
            tag = group << 16 | element
            if len(self._levels) == 1 and tag > self._last:
                self._stream.seek(-8, os.SEEK_CUR)
                return self._found
            self._element(tag, head)
        raise Unusable("header.endless", "The header has more elements than any real object.")

    def _element(self, tag: int, head: bytes) -> None:
        if tag in (_ITEM_END, _SEQUENCE_END):
            self._levels.pop()  # never the last level: there, these tags lie beyond `last`
            return
        length, explicit_inside = self._length(tag, head)
        if length == _UNDEFINED:
            self._levels.append(explicit_inside)
        elif tag in self._wanted and len(self._levels) == 1:
            self._keep(tag, length)
        else:
            self._skip(length)

    def _length(self, tag: int, head: bytes) -> tuple[int, bool]:
        """The length of the value, and whether elements inside it have an explicit VR."""
        explicit = self._levels[-1]
        if not explicit or tag == _ITEM:
            return self._long.unpack_from(head, 4)[0], explicit
        vr = head[4:6]
        if vr in _SHORT:
            return self._half.unpack_from(head, 6)[0], explicit
        if not (vr.isalpha() and vr.isupper()):
            raise Unusable("header.vr", "The data set is not encoded as its transfer syntax says.")
        # Unknown VRs have the long form (PS3.5 7.1.2); UN of undefined length holds implicit elements (PS3.5 6.2.2).
        return self._long.unpack(self._take(4))[0], vr != b"UN"

    def _keep(self, tag: int, length: int) -> None:
        if tag == _DESCRIPTION and length > _LONGEST_DESCRIPTION:
            self._found[tag] = self._take(_LONGEST_DESCRIPTION)
            self._skip(length - _LONGEST_DESCRIPTION)
            return
        if length > _LONGEST_VALUE or tag in self._found:
            raise Unusable("header.structure", "A value of the header is too long or there twice.")
        self._found[tag] = self._take(length)

    def _take(self, length: int) -> bytes:
        self._spend(length)
        return self._stream.read(length)

    def _skip(self, length: int) -> None:
        self._spend(length)
        self._stream.seek(length, os.SEEK_CUR)

    def _spend(self, length: int) -> None:
        if length > self._left:
            raise Unusable("header.truncated", "The object ends inside its header.")
        self._left -= length
