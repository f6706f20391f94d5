"""Outputs are filed in the study of their sources, whatever the sources' headers look like."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from service.codes import DEVICE_UID
from service.report.compose import compose, to_bytes
from service.report.header import local_time, series_number
from tests.peers import real_data
from tests.report.conftest import MEASUREMENTS, Change, Sample, header, sample


def outputs(given: Sample) -> list[Dataset]:
    """The objects as they arrive: written to a file and read again."""
    return [dcmread(BytesIO(to_bytes(made))) for made in compose(given.result, given.sources, MEASUREMENTS)]


def set_to(**attributes: object) -> Change:
    def change(image: Dataset) -> None:
        for keyword, value in attributes.items():
            setattr(image, keyword, value)

    return change


def read_from_disk(given: Sample) -> Sample:
    """The sources as a reader gives them: raw elements in the character set of the file."""
    data = [BytesIO() for _ in given.sources]
    for buffer, image in zip(data, given.sources, strict=True):
        image.save_as(buffer, enforce_file_format=True)
    return Sample(given.result, tuple(dcmread(BytesIO(buffer.getvalue())) for buffer in data))


NAMES = {
    "ISO_IR 100": "Müller^Jörg",
    "ISO_IR 101": "Škoda^Běla",
    "ISO_IR 144": "Иванов^Иван",
    "ISO_IR 192": "山田^太郎",
    "GB18030": "王^小东",
}


@pytest.mark.parametrize("charset", NAMES)
def test_a_name_in_any_character_set_is_kept_byte_for_byte(charset: str) -> None:
    given = read_from_disk(sample(change=set_to(SpecificCharacterSet=charset, PatientName=NAMES[charset])))
    source = given.sources[0]

    for output in outputs(given):
        assert output.SpecificCharacterSet == charset
        assert str(output.PatientName) == NAMES[charset]
        assert output.PatientName.original_string == source.PatientName.original_string


def test_a_name_with_code_extensions_is_kept() -> None:
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    given = read_from_disk(sample(change=set_to(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName=name)))

    for output in outputs(given):
        assert list(output.SpecificCharacterSet) == ["", "ISO 2022 IR 87"]
        assert str(output.PatientName) == name
        assert output.PatientName.original_string == given.sources[0].PatientName.original_string


def test_a_text_that_the_source_cannot_write_makes_the_output_utf_8() -> None:
    """A label drawn elsewhere may hold letters that the images' character set lacks: neither of the two may be lost."""
    given = read_from_disk(sample(change=set_to(SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg")))
    tumor = replace(given.result.tumors[0], tracking_id="Опухоль")
    given = Sample(replace(given.result, tumors=(tumor,)), given.sources)

    seg, report = outputs(given)

    assert (seg.SpecificCharacterSet, report.SpecificCharacterSet) == ("ISO_IR 192", "ISO_IR 192")
    assert (str(seg.PatientName), str(report.PatientName)) == ("Müller^Jörg", "Müller^Jörg")
    assert seg.SegmentSequence[0].SegmentLabel == "Опухоль"


def test_plain_ascii_needs_no_character_set() -> None:
    assert all("SpecificCharacterSet" not in output for output in outputs(sample(change=set_to(SpecificCharacterSet=None))))


def test_typographic_quotes_in_our_sentences_change_no_character_set(one: Sample) -> None:
    reasons = ("its description says \u201ct1\u201d \u2264 2",)
    used = tuple(replace(use, reasons=reasons) for use in one.result.phases)

    report = outputs(Sample(replace(one.result, phases=used), one.sources))[-1]

    assert report.SpecificCharacterSet == "ISO_IR 100"
    assert 'its description says "t1" <= 2' in report.ContentSequence[-1].ContentSequence[-1].TextValue


def test_a_character_set_that_nobody_knows_is_not_repeated() -> None:
    assert all(
        "SpecificCharacterSet" not in output for output in outputs(sample(change=set_to(SpecificCharacterSet="ISO_IR 4711")))
    )


def test_codes_inside_sequences_are_kept_in_their_letters() -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99KH", "MRT Leber nach Kälteablation"
    given = read_from_disk(sample(change=set_to(SpecificCharacterSet="ISO_IR 100", ProcedureCodeSequence=[code])))
    tumor = replace(given.result.tumors[0], tracking_id="Опухоль")
    given = Sample(replace(given.result, tumors=(tumor,)), given.sources)

    for output in outputs(given):
        assert output.ProcedureCodeSequence[0].CodeMeaning == "MRT Leber nach Kälteablation"


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["chrArab", "chrFren", "chrFrenMulti", "chrGerm", "chrGreek", "chrH31", "chrH32", "chrHbrw",
                                  "chrI2", "chrJapMulti", "chrKoreanMulti", "chrRuss", "chrX1", "chrX2"])  # fmt: skip
def test_real_names_come_through(name: str) -> None:
    source = dcmread(real_data("charsets", "pydicom", "src", "pydicom", "data", "charset_files", f"{name}.dcm"), force=True)
    given = sample()

    def change(image: Dataset) -> None:
        image.SpecificCharacterSet, image["PatientName"] = source.SpecificCharacterSet, source["PatientName"]

    for image in given.sources:
        change(image)
    for output in outputs(given):
        assert str(output.PatientName) == str(source.PatientName)


def test_patient_and_study_are_those_of_the_source(one: Sample) -> None:
    for output in outputs(one):
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber",
                        "StudyDescription", "ReferringPhysicianName"):  # fmt: skip
            assert output[keyword].value == one.sources[0][keyword].value, keyword


def test_what_the_source_does_not_know_stays_empty() -> None:
    given = sample()
    for image in given.sources:
        for keyword in ("AccessionNumber", "StudyID", "ReferringPhysicianName", "PatientBirthDate", "PatientSex"):
            delattr(image, keyword)

    for output in outputs(given):
        assert not output.AccessionNumber
        assert output["PatientSex"].is_empty


def test_a_value_that_breaks_the_rules_is_passed_on_as_it_is() -> None:
    """A study filed under a wrong sex or date must be found under the same values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = read_from_disk(sample(change=set_to(PatientSex="X", StudyDate="2024-03-05", StudyID="x" * 20)))
        report = outputs(given)[-1]

        assert (report.PatientSex, report.StudyDate, report.StudyID) == ("X", "2024-03-05", "x" * 20)


def test_without_sources_nothing_can_be_filed(one: Sample) -> None:
    with pytest.raises(ValueError, match="at least one source"):
        compose(one.result, (), MEASUREMENTS)


def test_the_header_comes_from_the_reference_phase(one: Sample) -> None:
    drawing = header(40, 1)
    drawing.PatientID = "somebody else's spelling"

    assert {"PH-1"} == {made.dataset.PatientID for made in compose(one.result, (drawing, *one.sources), MEASUREMENTS)}


def test_the_header_comes_from_any_source_when_the_reference_is_not_among_them(one: Sample) -> None:
    first = one.sources[0]
    assert first.SOPInstanceUID != one.result.reference.phase.first.sop_instance_uid
    assert {"PH-1"} == {made.dataset.PatientID for made in compose(one.result, (first,), MEASUREMENTS)}


def test_the_equipment_is_ours(one: Sample) -> None:
    for output in outputs(one):
        assert (output.Manufacturer, output.ManufacturerModelName, output.DeviceUID) == ("Cryomargin", "Cryomargin", DEVICE_UID)
        assert list(output.SoftwareVersions) == ["0.1.0", "settings feedc0de"]


def test_each_object_has_a_series_number_of_its_own(one: Sample) -> None:
    seg, report = outputs(one)

    assert seg.SeriesNumber != report.SeriesNumber
    assert seg.SeriesInstanceUID != report.SeriesInstanceUID


def test_no_series_number_of_the_study_is_taken_again(one: Sample) -> None:
    free = series_number(one.result, one.sources, 1)
    taken = header(free, 1)
    taken.SeriesNumber = free

    assert series_number(one.result, (*one.sources, taken), 1) == free + 10


def test_a_later_version_has_another_series_number(one: Sample) -> None:
    later = replace(one.result, content_version="ffffffffffff")

    assert series_number(one.result, one.sources, 1) != series_number(later, one.sources, 1)


NOON = datetime(2024, 3, 6, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("offset", "expected"),
    [("+0130", (13, 30)), ("-0500", (7, 0)), ("", (12, 0)), (None, (12, 0)), ("rubbish", (12, 0))],
)
def test_the_time_is_that_of_the_clock_of_the_study(offset: str | None, expected: tuple[int, int]) -> None:
    source = Dataset()
    source.TimezoneOffsetFromUTC = offset if offset != "rubbish" else None
    moment = local_time(NOON, source)

    assert (moment.hour, moment.minute) == expected


def test_a_time_without_zone_is_taken_as_it_is() -> None:
    source = Dataset()
    source.TimezoneOffsetFromUTC = "+0130"

    assert local_time(NOON.replace(tzinfo=None), source).hour == 12


def test_all_dates_come_from_the_job(one: Sample) -> None:
    for output in outputs(one):
        for name in ("Content", "Series", "InstanceCreation"):
            assert (output[f"{name}Date"].value, output[f"{name}Time"].value) == ("20240306", "090807.654321")
