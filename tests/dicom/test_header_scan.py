from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.sequence import Sequence
from pydicom.uid import AllTransferSyntaxes

from service.codes import DEVICE_UID
from service.dicom import header_scan
from service.dicom.header_scan import Header, is_ours, read_header
from service.dicom.reception import file_head
from service.errors import Unusable
from service.study.assemble import DRAWINGS, IMAGES
from tests.dicom.wire import BIG, CT, DEFLATED, EXPLICIT, IMPLICIT, MR, STUDY, an_image, encode
from tests.peers import real_data

UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def expected(syntax: str = EXPLICIT, **changes: Any) -> Header:
    fields: dict[str, Any] = {
        "study_instance_uid": STUDY,
        "series_instance_uid": f"{STUDY}.4",
        "sop_instance_uid": "1.2.3",
        "sop_class_uid": MR,
        "transfer_syntax_uid": syntax,
        "modality": "MR",
        "series_number": 4,
        "series_description": "portal venös",
        "patient_id": "P1",
    }
    return Header(**(fields | changes))


def deflate(content: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(content) + engine.flush()


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_a_bare_data_set_is_read_in_its_transfer_syntax(syntax: str) -> None:
    assert expected(syntax) == read_header(encode(an_image("1.2.3"), syntax), syntax)


def test_a_deflated_data_set_is_inflated_first() -> None:
    assert expected(DEFLATED) == read_header(deflate(encode(an_image("1.2.3"))), DEFLATED)


def test_a_compressed_image_has_an_explicit_header() -> None:
    syntax = "1.2.840.10008.1.2.4.90"

    assert expected(syntax) == read_header(encode(an_image("1.2.3")), syntax)


def test_a_file_says_its_transfer_syntax_itself(tmp_path: Path) -> None:
    content = file_head(MR, "1.2.3", IMPLICIT) + encode(an_image("1.2.3"), IMPLICIT)
    (tmp_path / "one.dcm").write_bytes(content)

    assert expected(IMPLICIT) == read_header(content)
    assert expected(IMPLICIT) == read_header(tmp_path / "one.dcm")
    assert expected(IMPLICIT) == read_header(memoryview(content))


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_sequences_before_the_wanted_elements_are_passed_over(syntax: str) -> None:
    """Their items may hold the same tags, and must not be taken for the object's own."""
    inner = Dataset()
    inner.SOPInstanceUID = "9.9.9"
    inner.StudyInstanceUID = "9.9"
    inner.ReferencedSeriesSequence = Sequence([Dataset()])
    image = an_image("1.2.3")
    image.ReferencedStudySequence = Sequence([inner, inner])
    defined = read_header(encode(image, syntax), syntax)
    image["ReferencedStudySequence"].is_undefined_length = True
    inner.is_undefined_length_sequence_item = True

    assert expected(syntax) == defined
    assert expected(syntax) == read_header(encode(image, syntax), syntax)


def test_a_sequence_of_any_depth_costs_no_stack() -> None:
    """A parser that calls itself for each level ends in a RecursionError."""
    opening = struct.pack("<HH2sHL", 0x0008, 0x1110, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    closing = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    image = an_image("1.2.3", {"SpecificCharacterSet": None, "SeriesDescription": None, "Modality": None})
    whole = encode(image)
    cut = whole.index(struct.pack("<HH", 0x0010, 0x0010))
    deep = whole[:cut] + opening * 20_000 + closing * 20_000 + whole[cut:]

    assert expected(series_description="", modality="") == read_header(deep, EXPLICIT)


def test_elements_of_unknown_vr_and_undefined_length_are_implicit_inside() -> None:
    inside = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + struct.pack("<HHL", 0x0009, 0x1001, 4) + b"abcd"
    ends = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    unknown = struct.pack("<HH2sHL", 0x0009, 0x1010, b"UN", 0, 0xFFFFFFFF) + inside + ends
    whole = encode(an_image("1.2.3"))
    cut = whole.index(struct.pack("<HH", 0x0010, 0x0010))

    assert expected() == read_header(whole[:cut] + unknown + whole[cut:], EXPLICIT)


def test_pixels_are_never_looked_at() -> None:
    whole = encode(an_image("1.2.3"))

    assert expected() == read_header(whole[: whole.index(struct.pack("<HH", 0x0028, 0x0010))] + b"\xff" * 50, EXPLICIT)


@pytest.mark.parametrize("name", UIDS)
def test_each_of_the_four_uids_is_needed(name: str) -> None:
    with pytest.raises(Unusable, match=f"no {name}"):
        read_header(encode(an_image("1.2.3", {name: None})), EXPLICIT)


@pytest.mark.parametrize(
    "uid", ["../../evil", "/etc/passwd", "1..2", "1.2.", "..", "1.2\\3", "1.2.3\n", "1." + "2" * 64, "x", "\u0661.2"]
)
def test_what_is_no_uid_is_refused(uid: str) -> None:
    raw = encode(an_image("1.2.3"))
    tag = raw.index(struct.pack("<HH2s", 0x0008, 0x0018, b"UI"))
    value = uid.encode() + b"\0" * (len(uid.encode()) % 2)
    content = raw[: tag + 6] + struct.pack("<H", len(value)) + value + raw[tag + 6 + 2 + 6 :]

    with pytest.raises(Unusable, match="is not a UID"):
        read_header(content, EXPLICIT)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_an_object_that_ends_inside_its_header_is_refused(syntax: str) -> None:
    content = encode(an_image("1.2.3"), syntax)
    last = content.index(struct.pack(">HH" if syntax == BIG else "<HH", 0x0020, 0x0011))  # what follows the four UIDs
    for length in [*range(last), last + 4]:
        with pytest.raises(Unusable):
            read_header(content[:length], syntax)


def test_the_wrong_transfer_syntax_is_noticed() -> None:
    with pytest.raises(Unusable):
        read_header(encode(an_image("1.2.3"), IMPLICIT), EXPLICIT)
    with pytest.raises(Unusable):
        read_header(encode(an_image("1.2.3"), EXPLICIT), IMPLICIT)
    with pytest.raises(Unusable):
        read_header(encode(an_image("1.2.3"), EXPLICIT), BIG)
    with pytest.raises(Unusable, match="inflated"):
        read_header(encode(an_image("1.2.3"), EXPLICIT), DEFLATED)


def test_two_answers_to_one_question_are_refused() -> None:
    """Two readers must not see two different instances in one file."""
    whole = encode(an_image("1.2.3"))
    with pytest.raises(Unusable, match="twice"):
        read_header(whole[: whole.index(struct.pack("<HH", 0x0008, 0x0060))] + whole, EXPLICIT)


def test_a_file_without_the_prefix_is_no_dicom(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(Unusable, match="not a DICOM file"):
        read_header(tmp_path / "text")


def test_a_deflated_bomb_is_not_inflated_to_its_end() -> None:
    bomb = deflate(struct.pack("<HH2sHL", 0x0008, 0x0000, b"OB", 0, 1 << 30) + bytes(1 << 27))
    with pytest.raises(Unusable, match="ends inside"):
        read_header(bomb, DEFLATED)


def test_a_header_of_endless_elements_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.dicom.header_scan._MOST_ELEMENTS", 10)
    with pytest.raises(Unusable, match="more elements"):
        read_header(struct.pack("<HH2sH", 0x0008, 0x0001, b"UL", 0) * 11, EXPLICIT)


def test_what_a_database_or_a_page_cannot_show_is_left_out() -> None:
    image = an_image("1.2.3", {"SeriesDescription": "a\x00b\x07c", "SeriesNumber": None})
    header = read_header(encode(image), EXPLICIT)

    assert (header.series_description, header.series_number) == ("abc", None)


@pytest.mark.parametrize(
    ("charset", "text"), [("ISO_IR 192", "門脈"), ("ISO_IR 144", "Печень"), (["", "ISO 2022 IR 87"], "門脈相")]
)
def test_descriptions_are_read_in_their_character_set(charset: str | list[str], text: str) -> None:
    image = an_image("1.2.3", {"SpecificCharacterSet": charset, "SeriesDescription": text})

    assert read_header(encode(image), EXPLICIT).series_description == text


def test_an_unknown_character_set_loses_letters_not_the_object() -> None:
    content = encode(an_image("1.2.3", {"SeriesDescription": "abc"})).replace(b"ISO_IR 100", b"KLINGON   ")

    assert read_header(content, EXPLICIT).series_description == "abc"


def test_own_objects_are_known_by_their_device() -> None:
    ours = read_header(encode(an_image("1.2.3", {"DeviceUID": DEVICE_UID})), EXPLICIT)

    assert is_ours(ours)
    assert "own results" in ours.reason_ignored
    assert not is_ours(expected())


@pytest.mark.parametrize("sop_class", sorted(IMAGES | DRAWINGS))
def test_mr_images_and_drawings_take_part(sop_class: str) -> None:
    """The same classes that the analysis reads: what it could use must not be set aside at the door."""
    assert expected(sop_class_uid=sop_class).reason_ignored == ""


@pytest.mark.parametrize(
    ("sop_class", "words"),
    [(CT, "CT Image Storage"), ("1.2.840.10008.5.1.4.1.1.88.34", "Comprehensive 3D SR Storage"), ("1.2.3.4", "1.2.3.4")],
)
def test_everything_else_is_ignored_by_name(sop_class: str, words: str) -> None:
    assert expected(sop_class_uid=sop_class).reason_ignored.startswith(f"{words} is neither")


@given(st.binary(max_size=300), st.sampled_from([EXPLICIT, IMPLICIT, BIG, DEFLATED, ""]))
def test_any_bytes_at_all_are_read_or_refused(content: bytes, syntax: str) -> None:
    with pytest.raises(Unusable):
        read_header(content, syntax)


@pytest.mark.filterwarnings("ignore:Found unknown escape sequence:UserWarning")  # told, and read as far as it can be
@given(st.data())
def test_a_damaged_header_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(encode(an_image("1.2.3")))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    with suppress(Unusable):
        read_header(bytes(content), EXPLICIT)


@pytest.mark.real_data
@pytest.mark.parametrize("folder", ["vendors", "transfer_syntax", "liver", "results_by_others"])
def test_real_headers_are_read_as_pydicom_reads_them(folder: str) -> None:
    compared = sum(_compare(path) for path in sorted(real_data(folder).rglob("*")) if path.is_file())

    assert compared > 0


def _compare(path: Path) -> bool:
    try:
        dataset = dcmread(path, stop_before_pixels=True)
    except (InvalidDicomError, OSError):
        return False
    if not all(dataset.get(name) for name in UIDS) or dataset.file_meta.TransferSyntaxUID not in AllTransferSyntaxes:
        return False
    header = read_header(path)
    assert [str(dataset[name].value) for name in UIDS] == list(_uids(header))
    assert str(dataset.get("SeriesDescription", "") or "").strip() == header.series_description
    assert dataset.get("SeriesNumber") == header.series_number
    assert str(dataset.get("PatientID", "") or "") == header.patient_id
    assert dataset.file_meta.TransferSyntaxUID == header.transfer_syntax_uid
    return True


def _uids(header: Header) -> Iterator[str]:
    yield from (header.sop_class_uid, header.sop_instance_uid, header.study_instance_uid, header.series_instance_uid)


def test_streams_are_left_alone() -> None:
    """The bytes of a C-STORE are read where they lie, without a copy."""
    buffer = io.BytesIO(encode(an_image("1.2.3")))

    assert expected() == read_header(buffer.getbuffer(), EXPLICIT)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@given(place=st.integers(0, 400), change=st.binary(min_size=1, max_size=4))
def test_the_quick_way_reads_what_the_careful_one_does(syntax: str, place: int, change: bytes) -> None:
    """Whatever is at the beginning, both give the same header, or the same fault."""
    content = bytearray(encode(an_image("1.2.3"), syntax))
    content[place : place + len(change)] = change
    careful = header_scan._read

    assert outcome(read_header, bytes(content), syntax) == outcome(
        lambda data, name: careful(io.BytesIO(data), len(data), name), bytes(content), syntax
    )


def outcome(read: Callable[[bytes, str], Header], content: bytes, syntax: str) -> Header | str:
    """What it reads, or why not."""
    try:
        return read(content, syntax)
    except Unusable as fault:
        return fault.code
