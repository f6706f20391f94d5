from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom import dcmread

from service.dicom.header_scan import read_header
from service.errors import Faulty
from service.jobs.analysis import Outcome, analyse_files, content_version_of, read_study, write_made
from service.jobs.child import ANSWER_FILE, REQUEST_FILE, perform
from service.jobs.example import example_patient
from service.jobs.lacking import lacking
from service.jobs.messages import ANSWER, REQUEST, Answer, Request
from service.jobs.software import software
from service.jobs.truth import Verdict, compare
from service.options import AnalysisOptions, Earlier, EarlierExam, ExamRule
from service.phantom.patient import PhantomPatient
from service.phantom.write import write_study
from service.report import compose
from service.report.compose import Made
from service.report.tracking import CONTINUED
from service.store.files import Files
from service.store.index import Index
from service.store.records import received

WHEN = datetime(2024, 3, 12, 10, 0, tzinfo=UTC)
OPTIONS = AnalysisOptions()


@pytest.fixture(scope="module")
def patient() -> PhantomPatient:
    return example_patient()


@pytest.fixture(scope="module")
def paths(patient: PhantomPatient, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_study(patient, tmp_path_factory.mktemp("study"), seg="fractional")


@pytest.fixture(scope="module")
def outcome(paths: list[Path]) -> Outcome:
    return analyse_files(paths, OPTIONS, WHEN, content_version="abc", earlier=Earlier(("1.2.3",)))


def test_the_phantom_is_met(outcome: Outcome, patient: PhantomPatient) -> None:
    assert outcome.record is not None
    rows = compare(outcome.record, patient.truth)
    assert {row.verdict for row in rows} == {Verdict.RIGHT}


def test_the_objects_come_in_sending_order_with_their_predecessor(outcome: Outcome) -> None:
    assert [made.role for made in outcome.made] == ["seg", "sr", "sr_places", "summary"]
    (predecessor,) = outcome.made[1].dataset.PredecessorDocumentsSequence
    referenced = predecessor.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert referenced.ReferencedSOPInstanceUID == "1.2.3"


def test_a_tumor_keeps_the_tracking_uid_that_its_reader_gave_it(outcome: Outcome, paths: list[Path]) -> None:
    """Also in the report and in the segmentation that go out, so that later exams can follow it."""
    drawn = next(dataset for dataset in map(dcmread, paths) if dataset.Modality == "SEG")
    given = {str(segment.TrackingUID) for segment in drawn.SegmentSequence if segment.SegmentLabel == "Tumor"}
    assert outcome.record is not None

    assert {tumor["tracking_uid"] for tumor in outcome.record["tumors"]} == given
    assert outcome.made[0].dataset.SegmentSequence[0].TrackingUID in given


def test_the_one_tumor_of_a_later_exam_goes_on_under_its_uid_and_says_so(paths: list[Path]) -> None:
    bare = [path for path in paths if dcmread(path, stop_before_pixels=True).Modality != "SEG"]
    own = read_study(bare[:1], OPTIONS, WHEN, content_version="abc").compared.identity
    namesake = EarlierExam("1.2.8", "abc", ("2.25.4712",), replace(own, birth_date="another"))
    known = EarlierExam("1.2.7", "abc", ("2.25.4711",), own)
    outcome = analyse_files(bare, AnalysisOptions(), WHEN, content_version="abc", earlier=Earlier(exams=(namesake, known)))
    record, compared = outcome.record, outcome.compared
    assert record is not None
    assert compared is not None

    assert (compared.identity, compared.exam) == (own, known)
    assert [warning for warning in record["warnings"] if "same patient ID" in warning] == list(compared.sentences)
    assert [tumor["tracking_uid"] for tumor in record["tumors"]] == ["2.25.4711"]
    assert CONTINUED in record["warnings"]


def test_a_required_series_that_is_not_there_is_named_and_nothing_is_analysed(paths: list[Path], tmp_path: Path) -> None:
    late = [path for path in paths if "portal" not in str(path)]
    required = (("t2",), ("portal_venous", "hepatobiliary"))
    assert lacking(late, OPTIONS, required) == "a portal venous or hepatobiliary series"
    assert lacking(paths, OPTIONS, required) == ""
    assert lacking([], OPTIONS, required) == "", "the analysis says what is wrong"
    (tmp_path / REQUEST_FILE).write_bytes(REQUEST.dump_json(Request(tuple(late), "abc", WHEN, required=required)))
    perform(tmp_path, -1)
    answer = ANSWER.validate_json((tmp_path / ANSWER_FILE).read_bytes())
    assert answer == Answer(lacks="a portal venous or hepatobiliary series")


def test_a_repeat_makes_the_same_bytes(outcome: Outcome, paths: list[Path], tmp_path: Path) -> None:
    """Only so is sending a result twice harmless."""
    again = analyse_files(list(reversed(paths)), OPTIONS, WHEN, content_version="abc", earlier=Earlier(("1.2.3",)))
    folders = tmp_path / "a", tmp_path / "b"
    for folder, one in zip(folders, (outcome, again), strict=True):
        folder.mkdir()
        write_made(one, folder)
    for name in ("1-seg.dcm", "2-sr.dcm"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_progress_rises_to_the_report(paths: list[Path]) -> None:
    heard: list[int] = []
    only_t2 = [path for path in paths if "t2" in str(path)]
    analyse_files(only_t2, OPTIONS, WHEN, content_version="abc", progress=lambda _stage, percent: heard.append(percent))
    assert heard == sorted(heard)
    assert all(0 <= percent <= 100 for percent in heard)


def test_a_study_without_contrast_is_an_outcome_with_its_sentence(paths: list[Path]) -> None:
    only_t2 = [path for path in paths if "t2" in str(path)]
    outcome = analyse_files(only_t2, OPTIONS, WHEN, content_version="abc")
    assert (outcome.record, outcome.code, outcome.made) == (None, "exam.not_postablation_liver", ())


def test_where_it_is_wanted_a_report_says_why_there_is_no_result(paths: list[Path]) -> None:
    only_t2 = [path for path in paths if "t2" in str(path)]
    wanted = AnalysisOptions(outputs=("sr", "not_assessable"))
    outcome = analyse_files(only_t2, wanted, WHEN, content_version="abc", earlier=Earlier(("1.2.3",)))
    (made,) = outcome.made

    assert (outcome.record, outcome.failed, made.role) == (None, False, "not_assessable")
    assert f"{outcome.sentence} [exam.not_postablation_liver]" in made.dataset.to_json()
    assert made.dataset.PredecessorDocumentsSequence
    assert (
        analyse_files(only_t2, wanted, WHEN, content_version="abc", earlier=Earlier(("1.2.3",))).made[0].dataset == made.dataset
    )


def test_a_study_that_can_be_measured_gets_no_such_report(paths: list[Path]) -> None:
    wanted = AnalysisOptions(outputs=("sr", "not_assessable"))
    assert [made.role for made in analyse_files(paths, wanted, WHEN, content_version="abc").made] == ["sr"]


def test_what_cannot_be_read_is_said_and_not_passed_over(paths: list[Path], tmp_path: Path) -> None:
    """A reader who drew contours, or sent a phase, must learn why the result does not rest on them."""
    copies = [Path(shutil.copy(path, tmp_path / f"{number}.dcm")) for number, path in enumerate(paths)]
    drawing = next(path for path in copies if dcmread(path).Modality == "SEG")
    image = next(path for path in copies if dcmread(path).get("SeriesDescription", "").startswith("T2"))
    for path, keyword in ((drawing, "PerFrameFunctionalGroupsSequence"), (image, "PixelData")):
        broken = dcmread(path)
        del broken[keyword]
        broken.save_as(path)
    (tmp_path / "no.dcm").write_bytes(b"nothing")

    read = read_study([*copies, tmp_path / "no.dcm"], OPTIONS, WHEN, content_version="abc")

    assert len(read.left_out) == 2
    assert all(sentence.startswith("An object of the study cannot be used: ") for sentence in read.left_out)
    (why,) = read.undecoded.values()
    assert "cannot be decoded" in why
    assert set(read.undecoded).isdisjoint(read.planes)


def test_files_that_are_no_dicom_are_an_outcome_too(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"nothing")
    assert analyse_files([path], OPTIONS, WHEN, content_version="abc").code == "study.unreadable"


def test_the_folder_and_the_service_give_the_content_the_same_name(paths: list[Path], tmp_path: Path) -> None:
    """So both make the same objects of the same study."""
    some = paths[:3]
    files = Files(tmp_path / "files")
    with Index.open(f"sqlite:///{tmp_path / 'index.sqlite'}") as index:
        for number, path in enumerate(some):
            with files.receive() as incoming:
                incoming.write(path.read_bytes())
                kept = incoming.commit()
            index.add_instance(received(read_header(path), kept, WHEN + timedelta(seconds=number)))
        version = index.close_version(read_header(some[0]).study_instance_uid, WHEN)
    assert version.content_version == content_version_of(some)


def test_a_rule_about_exams_is_in_the_hash_of_those_that_it_fits_alone(paths: list[Path]) -> None:
    """So what a rule about other exams changes is no new result of this one."""
    one = [path for path in paths if dcmread(path, stop_before_pixels=True).Modality != "SEG"][:1]
    fits, other = ExamRule("followup", "*"), ExamRule("followup", "CT of the head")
    with_both, with_other, without = (
        read_study(one, AnalysisOptions(exams=rules), WHEN, content_version="abc") for rules in ((other, fits), (other,), ())
    )
    assert (with_both.exams, with_other.exams) == ((fits,), ())
    assert with_other.software == without.software != with_both.software


def test_every_option_is_in_the_hash() -> None:
    others = AnalysisOptions(segmenters=("drawn",)), AnalysisOptions(labels=(("target", "tumor"),))
    assert len({software(options).settings_hash for options in (OPTIONS, *others)}) == 3


def test_an_object_that_may_not_leave_is_a_failure_with_its_sentence(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a verdict about the study: the study can be analysed, our object is wrong. Nothing of it is written."""

    def kept_back(*_arguments: object) -> tuple[Made, ...]:
        raise Faulty("check.broken", "The object 'sr' is kept back.")

    monkeypatch.setattr(compose, "compose", kept_back)
    outcome = analyse_files(paths, OPTIONS, WHEN, content_version="abc")
    assert (outcome.failed, outcome.sentence, outcome.record) == (True, "The object 'sr' is kept back.", None)
    assert write_made(outcome, tmp_path) == ()
