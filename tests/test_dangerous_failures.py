"""The thirteen failures that would hurt a patient, one test each: what the service says instead of a wrong answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from service.codes import MM, UNDETERMINED, YES, ours
from service.features import enhancement, margin, table, vessel
from service.features.case import Case
from service.features.finding import Finding, Status
from service.jobs.analysis import read_study
from service.options import AnalysisOptions, EarlierExam, ExamRule
from service.phantom.degrade import TYPICAL
from service.phantom.patient import PhantomPatient, render
from service.phantom.recipe import Wish, random_recipe
from service.phantom.signals import Tissue, signal
from service.phantom.vessels import VesselKind
from service.phantom.write import write_study
from service.pipeline import ReadStudy, analyse
from service.regions.coverage import liver_left_out
from service.regions.joined import pairs_of
from service.regions.margin_surface import margin_surface
from service.regions.region import DrawnMask, Region
from service.regions.visibility import visibility
from service.report.compose import compose
from service.report.result import Result
from service.report.tracking import CONTINUED, is_continued, tracking_uids
from service.report.uids import of_object
from service.study.identity import compare, identity_of
from service.study.model import Role
from service.volumes.volume import Volume
from tests.features.conftest import case_of, hidden, named
from tests.remembered import remembered_stages
from tests.report.conftest import sample

OPTIONS = AnalysisOptions(segmenters=("drawn",))
PORTAL = "tumor_enhancement_portal_venous"
WHEN = datetime(2025, 3, 4, 9, 0)  # noqa: DTZ001 - hospital time


@pytest.fixture(autouse=True, scope="module")
def memory() -> Iterator[None]:
    """Most of these studies differ in one place from each other."""
    with remembered_stages():
        yield


@pytest.fixture(scope="module")
def patient() -> PhantomPatient:
    """A tumor with 6 mm of margin and no vessel in it."""
    recipe = random_recipe(13, None, Wish(vessel=VesselKind.NONE, margin=6.5, tumor_radius=8.0, enhancement=0.0))
    return render(replace(recipe, degradations=replace(TYPICAL, seed=13)))


@pytest.fixture(scope="module")
def case(patient: PhantomPatient) -> Case:
    return case_of(patient)


@pytest.fixture(scope="module")
def read(patient: PhantomPatient, tmp_path_factory: pytest.TempPathFactory) -> ReadStudy:
    paths: list[Path] = write_study(patient, tmp_path_factory.mktemp("study"), seg="fractional")
    return read_study(paths, OPTIONS, WHEN, content_version="0123456789ab")


def measured_margin(case: Case) -> Finding:
    return named(margin.measure(case))[margin.NAME]


def of(result: Result, name: str = margin.NAME) -> Finding:
    return next(finding for finding in result.tumors[0].findings if finding.name == name)


def regions(case: Case) -> tuple[Region, Region, Region]:
    if case.tumor is None or case.zone is None or case.liver is None:
        pytest.fail("the case has contours")
    return case.tumor, case.zone, case.liver


def seen_again(case: Case, phases: Mapping[Role, Volume], liver: Region | None = None) -> Case:
    """The case with other images, or another liver, looked at anew as the service does."""
    tumor, zone, whole = regions(case)
    used = liver or whole
    surface = margin_surface(tumor, zone, used, liver_left_out(used, zone, phases[case.reference]))
    seen = visibility(surface, tumor, zone, {role.value: volume for role, volume in phases.items()}, used)
    return replace(case, phases=phases, liver=used, surface=surface, visibility=seen)


def test_0_the_phantom_itself_is_answered(case: Case) -> None:
    """Without this the tests below would hold for a service that never says anything."""
    assert measured_margin(case).category == margin.ABOVE_3


def test_1_contours_that_lie_elsewhere_give_no_margin(read: ReadStudy) -> None:
    """Wrong lesion, side or position of the table: no zone is seen where it is drawn. Flips: tests/test_pipeline.py."""
    moved = tuple(_moved(drawing) for drawing in read.drawings if isinstance(drawing, DrawnMask))
    said = of(analyse(replace(read, drawings=moved), OPTIONS))
    assert said.status is Status.NOT_ASSESSABLE
    assert said.reason is not None
    assert "the contours do not lie where the images show the zone" in said.reason.sentence


def _moved(drawing: DrawnMask) -> DrawnMask:
    affine = drawing.mask.affine.copy()
    affine[0, 3] += 12.0
    return replace(drawing, mask=replace(drawing.mask, affine=affine))


def test_1_a_slice_that_is_missing_leaves_the_phase_out(read: ReadStudy) -> None:
    key = next(key for key, guess in read.roles.items() if guess.role is Role.PORTAL_VENOUS)
    planes = read.planes[key]
    result = analyse(replace(read, planes={**read.planes, key: (*planes[:11], *planes[12:])}), OPTIONS)
    use = next(use for use in result.phases if use.phase.key == key)
    assert not use.used
    assert use.note
    assert of(result, vessel.NAME).status is Status.NOT_ASSESSABLE


def test_2_a_tumor_that_cannot_be_seen_is_no_wide_margin(case: Case) -> None:
    """The contour is there, the images show ablated tissue everywhere."""
    tumor, _, _ = regions(case)
    share = tumor.mask.values
    phases = {
        role: volume.with_values(volume.values + share * np.float32(signal(Tissue.MARGIN, role) - signal(Tissue.TUMOR, role)))
        for role, volume in case.phases.items()
    }
    said = measured_margin(seen_again(case, phases))
    assert said.category != margin.ABOVE_3
    assert said.reason is not None
    assert said.reason.code in {"margin.not_visible", "margin.part_not_assessable"}


def test_3_part_of_the_surface_is_never_more_than_3_mm(case: Case) -> None:
    said = measured_margin(hidden(case, 0.3))
    assert said.category == UNDETERMINED
    assert said.reason is not None
    assert said.reason.code == "margin.part_not_assessable"
    assert "Upper bound" in said.note


def test_4_a_liver_mask_without_a_lobe_does_not_widen_the_margin(case: Case) -> None:
    tumor, _, liver = regions(case)
    values = liver.mask.values.copy()
    middle = int(np.argwhere(tumor.mask.values > 0.5).mean(axis=0)[2])
    values[:, :, middle + 3 :] = 0.0
    said = measured_margin(seen_again(case, case.phases, replace(liver, mask=liver.mask.with_values(values))))
    assert said.category != margin.ABOVE_3 or said.value == pytest.approx(measured_margin(case).value, abs=0.5)


def test_5_the_rim_is_not_taken_for_enhancement_of_the_tumor() -> None:
    """A tumor that takes up nothing and reaches the zone's edge, where the rim is."""
    wish = Wish(vessel=VesselKind.NONE, margin=-0.5, tumor_radius=8.0, enhancement=0.0)
    recipe = random_recipe(8, (3.0, 1.4, 1.4), wish)
    found = named(enhancement.measure(case_of(render(replace(recipe, rim=5.0, degradations=replace(TYPICAL, seed=8))))))
    for _, name, _ in enhancement.PHASES:
        assert found[name].category != YES
    assert found["enhancement_pattern"].category not in {enhancement.RIM, enhancement.SOLID}


def test_6_blood_that_is_bright_before_contrast_is_no_enhancement(case: Case) -> None:
    """A tumor full of it is not judged; a focus in it is left out."""
    tumor, _, _ = regions(case)
    full = _bloody(case, tumor.mask.values)
    said = named(enhancement.measure(full))[PORTAL]
    assert said.status is Status.NOT_ASSESSABLE
    assert said.reason is not None
    assert said.reason.code == "enhancement.blood"
    part = tumor.mask.values.copy()
    part[:, :, int(np.argwhere(part > 0.5).mean(axis=0)[2]) :] = 0.0
    said = named(enhancement.measure(_bloody(case, part)))[PORTAL]
    assert said.value == pytest.approx(0.0, abs=5.0)


def _bloody(case: Case, share: np.ndarray) -> Case:
    phases = {
        role: volume.with_values((volume.values + share * (signal(Tissue.BLOOD, role) - volume.values)).astype(np.float32))
        for role, volume in case.phases.items()
    }
    return replace(case, phases=phases)


def test_7_the_prior_of_another_patient_is_not_followed(read: ReadStudy) -> None:
    """The same patient ID is not the same person: two hospitals use one number, and a number is given again.

    Exams under another ID are not even offered (tests/store/test_priors.py). Every doubt: tests/study/test_identity.py.
    """
    bare = tuple(replace(drawing, tracking_uid="") for drawing in read.drawings if isinstance(drawing, DrawnMask))
    own = read.compared.identity
    known = EarlierExam("1.2.840.1", "abc", ("2.25.77",), own)
    followed = analyse(replace(read, drawings=bare, compared=compare(own, [known])), OPTIONS)
    assert CONTINUED in followed.warnings
    assert followed.tumors[0].tracking_uid == "2.25.77"

    patient = read.study.patient
    changes = {"issuer": "ANOTHER HOSPITAL"}, {"birth_date": "19710809"}, {"sex": "F"}, {"birth_date": ""}, {"sex": ""}
    others = [replace(known, identity=identity_of(replace(patient, **change))) for change in changes]
    compared = compare(own, others)
    assert len(compared.doubts) == len(others)
    refused = analyse(replace(read, drawings=bare, compared=compared), OPTIONS)
    assert CONTINUED not in refused.warnings
    assert refused.tumors[0].tracking_uid != "2.25.77"
    said = [warning for warning in refused.warnings if "same patient ID" in warning]
    assert len(said) == len(others)
    assert all("may be of another person" in warning for warning in said)
    assert not any(word in str(said) for word in (patient.patient_id, patient.issuer, patient.birth_date, "19710809"))
    assert of_object(refused, "sr") != of_object(replace(refused, not_followed=()), "sr")

    alone = tracking_uids(followed.study_instance_uid, ["1"], [""], [])
    assert alone != ("2.25.77",)
    assert not is_continued([""], [])


def test_8_a_late_series_supersedes_the_report_and_does_not_duplicate_it() -> None:
    given = sample()
    reports = []
    for version, predecessors in (("first", ()), ("first", ()), ("second", ("2.25.11",))):
        result = replace(given.result, content_version=version, predecessors=predecessors)
        made = compose(result, given.sources, AnalysisOptions(outputs=("seg", "sr")))
        reports.append(next(one for one in made if one.role == "sr"))
    first, again, late = reports
    assert first.sop_instance_uid == again.sop_instance_uid, "sent twice, a result is one result"
    assert late.sop_instance_uid != first.sop_instance_uid
    (study,) = late.dataset.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.11"


def test_9_an_exception_is_no_default_value(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the product stops the analysis; a number that is none is refused where it is made."""

    def fails(_case: Case) -> tuple[Finding, ...]:
        raise ZeroDivisionError

    broken = replace(table.FEATURES[0], measure=fails)
    monkeypatch.setattr(table, "FEATURES", (broken, *table.FEATURES[1:]))
    with pytest.raises(ZeroDivisionError):
        table.measure(case)
    with pytest.raises(ValueError, match="must be a number"):
        Finding("x", "X", ours("X", "X"), "m", Status.MEASURED, value=float("nan"), unit=MM)


@pytest.mark.parametrize("gain", [0.7, 1.25, 1.6])
def test_10_another_gain_between_phases_is_no_enhancement(case: Case, gain: float) -> None:
    portal = case.phases[Role.PORTAL_VENOUS]
    phases: dict[Role, Volume] = {**case.phases, Role.PORTAL_VENOUS: portal.with_values(portal.values * np.float32(gain))}
    said = named(enhancement.measure(replace(case, phases=phases)))[PORTAL]
    assert said.status is Status.NOT_ASSESSABLE
    assert said.reason is not None
    assert said.reason.code in {"enhancement.gain", "enhancement.phases"}


def test_11_zones_that_merge_are_one_and_counted(case: Case) -> None:
    """Half of a zone is no edge of it: what lies between two probes is treated."""
    tumor, zone, _ = regions(case)
    middle = int(np.argwhere(tumor.mask.values > 0.5).mean(axis=0)[2])
    halves = []
    for side in (np.s_[:, :, :middle], np.s_[:, :, middle:]):
        values = np.zeros_like(zone.mask.values)
        values[side] = zone.mask.values[side]
        halves.append(replace(zone, mask=zone.mask.with_values(values)))
    ((_, joined),) = pairs_of((tumor,), halves)
    assert joined is not None
    assert joined.merged == 2
    assert np.array_equal(joined.mask.values, zone.mask.values)


def test_12_no_report_can_be_read_as_verified() -> None:
    given = sample()
    for made in compose(given.result, given.sources, AnalysisOptions(outputs=("seg", "sr", "sr_places"))):
        if made.role.startswith("sr"):
            assert made.dataset.VerificationFlag == "UNVERIFIED"
            assert made.dataset.PreliminaryFlag == "PRELIMINARY"
            assert "VerifyingObserverSequence" not in made.dataset


@pytest.mark.parametrize("hours", [-48.0, 2.0])
def test_13_an_ice_ball_is_not_taken_for_the_24_hour_exam(read: ReadStudy, hours: float) -> None:
    """During the procedure and shortly after it what is frozen is larger than what stays; before it there is no zone at all."""
    begins = min(plane.frame.acquired_at for phase in read.study.phases for plane in phase.planes if plane.frame.acquired_at)
    _no_margin(analyse(replace(read, procedure_at=begins - timedelta(hours=hours)), OPTIONS))


def test_13_nor_one_that_a_rule_calls_periprocedural(read: ReadStudy) -> None:
    """Where nobody gave the time of the ablation, its description may say what it is."""
    _no_margin(analyse(replace(read, exams=(ExamRule("periprocedural", "*"),)), OPTIONS))


def _no_margin(result: Result) -> None:
    said = of(result)
    assert said.status is Status.NOT_ASSESSABLE
    assert said.reason is not None
    assert "the ablation" in said.reason.sentence
    assert "> 3 mm" not in result.verdict
