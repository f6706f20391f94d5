"""analyse: from planes to the result record, and what it says when part of a study cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from service.codes import UNDETERMINED
from service.errors import Unusable
from service.features import margin, vessel
from service.features.finding import Finding, Status
from service.jobs.analysis import read_study
from service.options import AnalysisOptions
from service.phantom.degrade import TYPICAL, shift_of
from service.phantom.patient import PhantomPatient, render
from service.phantom.recipe import Wish, random_recipe
from service.phantom.signals import Tissue, signal
from service.phantom.vessels import VesselKind
from service.phantom.write import write_study
from service.pipeline import ReadStudy, analyse
from service.regions.drawn import LABELS, kind_of
from service.regions.region import Drawing, DrawnMask, Kind
from service.report.result import Result
from service.report.wording import FORBIDDEN
from service.study.model import Role, RoleGuess
from service.volumes.build import PixelPlane
from service.volumes.volume import Matrix
from tests.remembered import forgotten, remembered_stages

OPTIONS = AnalysisOptions(segmenters=("drawn",))


@pytest.fixture(autouse=True, scope="module")
def memory() -> Iterator[None]:
    """Most of these studies differ in one place from each other."""
    with remembered_stages():
        yield


@pytest.fixture(scope="module")
def patient() -> PhantomPatient:
    """About 1.5 mm of margin and a vessel that bridges it."""
    wish = Wish(vessel=VesselKind.BRIDGE_STRAIGHT, diameter=4.0, margin=1.5, tumor_radius=9.0, enhancement=0.6)
    return render(replace(random_recipe(11, None, wish), degradations=replace(TYPICAL, seed=11)))


@pytest.fixture(scope="module")
def read(patient: PhantomPatient, tmp_path_factory: pytest.TempPathFactory) -> ReadStudy:
    """That patient's study with contours in fractions, as read from its files."""
    paths: list[Path] = write_study(patient, tmp_path_factory.mktemp("study"), seg="fractional")
    return read_study(paths, OPTIONS, datetime(2025, 3, 4, 9, 0), content_version="0123456789ab")  # noqa: DTZ001 - hospital time


def key_of(read: ReadStudy, role: Role) -> str:
    """The key of the phase with this role."""
    return next(key for key, guess in read.roles.items() if guess.role is role)


def without(read: ReadStudy, *roles: Role) -> ReadStudy:
    """The study in which these phases were not recognised."""
    lost = {key_of(read, role): RoleGuess(Role.UNKNOWN, 0.0, ()) for role in roles}
    return replace(read, roles={**read.roles, **lost})


def thinned(read: ReadStudy, role: Role, *, skip: int) -> ReadStudy:
    """The study in which one slice of a phase never came."""
    key = key_of(read, role)
    planes = read.planes[key]
    return replace(read, planes={**read.planes, key: (*planes[:skip], *planes[skip + 1 :])})


def finding(result: Result, name: str) -> Finding:
    """The first tumor's finding of this name."""
    return next(finding for finding in result.tumors[0].findings if finding.name == name)


def test_phantom_is_measured_right(read: ReadStudy, patient: PhantomPatient) -> None:
    result = analyse(read, OPTIONS)
    smallest = finding(result, "minimum_ablation_margin")
    assert pytest.approx(patient.truth.minimum_margin, abs=0.5) == smallest.value
    assert smallest.category == margin.AT_MOST_3
    assert finding(result, "bridging_vessel").category == vessel.BRIDGES
    assert result.reference.role is Role.PORTAL_VENOUS
    assert "drawn: SEG" in smallest.contours
    assert {use.role for use in result.phases if use.used} == {
        Role.T1_PRE,
        Role.ARTERIAL,
        Role.PORTAL_VENOUS,
        Role.DELAYED,
        Role.T2,
    }


def test_progress_grows(read: ReadStudy) -> None:
    heard: list[tuple[str, int]] = []
    analyse(read, OPTIONS, lambda stage, percent: heard.append((stage, percent)))
    assert [stage for stage, _ in heard] == ["volumes", "align", "segment", "measure"]
    assert sorted(percent for _, percent in heard) == [percent for _, percent in heard]


def test_same_input_same_result(read: ReadStudy) -> None:
    first = analyse(read, OPTIONS)
    with forgotten():
        second = analyse(read, OPTIONS)
    assert first.tumors[0].findings == second.tumors[0].findings
    assert first.verdict == second.verdict


def test_portal_venous_phase_with_a_gap_is_left_out_and_vessels_are_not_judged(read: ReadStudy) -> None:
    result = analyse(thinned(read, Role.PORTAL_VENOUS, skip=15), OPTIONS)
    assert result.reference.role is Role.DELAYED
    found = finding(result, "bridging_vessel")
    assert found.status is Status.NOT_ASSESSABLE
    refused = next(use for use in result.phases if use.role is Role.PORTAL_VENOUS)
    assert not refused.used
    assert found.reason is not None
    assert refused.note == found.reason.sentence
    assert any("Measured on the delayed phase" in warning for warning in result.warnings)


def test_all_phases_with_a_gap_are_refused_with_the_fault(read: ReadStudy) -> None:
    faulty = read
    for role in (Role.T1_PRE, Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED, Role.T2):
        faulty = thinned(faulty, role, skip=9)
    with pytest.raises(Unusable):
        analyse(faulty, OPTIONS)


def test_no_series_after_contrast_is_no_postablation_exam(read: ReadStudy) -> None:
    bare = replace(without(read, Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED), drawings=())
    with pytest.raises(Unusable) as refusal:
        analyse(bare, AnalysisOptions())
    assert refusal.value.code == "exam.not_postablation_liver"


def swapped(read: ReadStudy, *, told: bool = False) -> ReadStudy:
    """The study in which arterial and portal-venous phase are taken for each other."""
    arterial, portal = key_of(read, Role.ARTERIAL), key_of(read, Role.PORTAL_VENOUS)
    roles = {
        arterial: replace(read.roles[portal], told=told),
        portal: replace(read.roles[arterial], told=told),
    }
    return replace(read, roles={**read.roles, **roles})


def test_swapped_phases_are_noticed_and_left_out(read: ReadStudy) -> None:
    """Headers said so, the vessels say otherwise: nobody knows which two are wrong, so no vessel is judged on any of them."""
    result = analyse(swapped(read), OPTIONS)
    assert result.reference.role is Role.T1_PRE
    assert {use.role for use in result.phases if use.note} == {Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED}
    assert any("brighter in the series taken for arterial" in warning for warning in result.warnings)
    assert finding(result, vessel.NAME).status is not Status.MEASURED


def test_what_a_person_said_about_phases_is_kept_with_a_warning(read: ReadStudy) -> None:
    result = analyse(swapped(read, told=True), OPTIONS)
    assert result.reference.role is Role.PORTAL_VENOUS
    assert any("brighter in the series taken for arterial" in warning for warning in result.warnings)


def test_nothing_drawn_and_nothing_automatic_is_refused(read: ReadStudy) -> None:
    with pytest.raises(Unusable):
        analyse(replace(read, drawings=()), OPTIONS)


def test_without_the_phase_before_contrast_enhancement_has_a_reason(read: ReadStudy) -> None:
    result = analyse(without(read, Role.T1_PRE), OPTIONS)
    found = finding(result, "tumor_enhancement_portal_venous")
    assert found.status is Status.NOT_ASSESSABLE
    assert finding(result, "bridging_vessel").category == UNDETERMINED


def test_phase_of_another_frame_of_reference_is_left_out(read: ReadStudy) -> None:
    key = key_of(read, Role.ARTERIAL)
    moved = tuple(replace(plane, frame_of_reference_uid="9.9.9") for plane in read.planes[key])
    phases = [phase for phase in read.study.phases if phase.key == key]
    result = analyse(replace(read, planes={**read.planes, key: moved}), OPTIONS)
    use = next(use for use in result.phases if use.phase.key == phases[0].key)
    assert not use.used
    assert "frame of reference" in use.note


def test_tumor_that_nobody_drew_is_not_a_wide_margin(read: ReadStudy) -> None:
    drawings = tuple(drawing for drawing in read.drawings if "umor" not in drawing.label)
    result = analyse(replace(read, drawings=drawings), OPTIONS)
    found = finding(result, "minimum_ablation_margin")
    assert found.status is Status.NOT_ASSESSABLE
    assert "not assessable" in result.verdict


def test_tumor_drawn_outside_the_zone_is_not_given_that_zones_margin(read: ReadStudy) -> None:
    drawings = tuple(
        replace(drawing, mask=replace(drawing.mask, affine=shifted(drawing.mask.affine)))
        if isinstance(drawing, DrawnMask) and "umor" in drawing.label
        else drawing
        for drawing in read.drawings
    )
    result = analyse(replace(read, drawings=drawings), OPTIONS)
    found = finding(result, "minimum_ablation_margin")
    assert found.status is Status.NOT_ASSESSABLE
    assert found.reason is not None
    assert "no ablation zone" in found.reason.sentence
    assert len(result.tumors) == 2  # the tumor without zone, and the zone without tumor


def shifted(affine: Matrix) -> Matrix:
    """Half a liver away."""
    moved = affine.copy()
    moved[0, 3] += 45.0
    return moved


def test_a_tumor_drawn_on_another_phase_than_its_zone_widens_the_interval(read: ReadStudy, patient: PhantomPatient) -> None:
    """It lies where it was in that breath-hold, and only the images can tell how far off that is."""
    how, delayed = patient.recipe.degradations, next(one for one in read.study.phases if one.key == key_of(read, Role.DELAYED))
    moved = np.eye(4)
    moved[:3, 3] = shift_of(how, Role.DELAYED) - shift_of(how, Role.PORTAL_VENOUS)
    drawings: list[Drawing] = []
    for drawing in read.drawings:
        if isinstance(drawing, DrawnMask) and kind_of(drawing, LABELS) is Kind.TUMOR:
            images = frozenset((plane.instance.sop_instance_uid, 0) for plane in delayed.planes)
            there = replace(drawing.mask, affine=moved @ drawing.mask.affine)
            drawings.append(replace(drawing, images=images, mask=there))
        else:
            drawings.append(drawing)
    result = analyse(replace(read, drawings=tuple(drawings)), OPTIONS)
    found, before = finding(result, "minimum_ablation_margin"), finding(analyse(read, OPTIONS), "minimum_ablation_margin")
    assert found.interval is not None
    assert before.interval is not None
    assert found.interval[0] <= patient.truth.minimum_margin <= found.interval[1]
    assert found.interval[1] - found.interval[0] > 2.0 * (before.interval[1] - before.interval[0])
    assert found.category != margin.ABOVE_3
    assert "drawn on different images" in found.note
    assert "drawn on different images" not in before.note
    assert any("Drawn on another series than is measured: 'Tumor'" in warning for warning in result.warnings)


def test_flipped_slices_change_nothing(read: ReadStudy) -> None:
    """The order in which planes come says nothing about where they are."""
    turned = replace(read, planes={key: tuple(reversed(planes)) for key, planes in read.planes.items()})
    straight, back = (finding(analyse(study, OPTIONS), "minimum_ablation_margin") for study in (read, turned))
    assert straight == back


def test_images_flipped_under_their_contours_are_noticed(read: ReadStudy) -> None:
    """As when an export negates positions: every slice is there, evenly spaced, and everything lies elsewhere."""
    flipped = {key: _upside_down(planes) for key, planes in read.planes.items()}
    result = analyse(replace(read, planes=flipped), OPTIONS)
    for name in ("minimum_ablation_margin", "bridging_vessel", "tumor_enhancement_portal_venous"):
        said = finding(result, name)
        assert said.status is Status.NOT_ASSESSABLE
        assert said.reason is not None
        assert "the contours do not lie where" in said.reason.sentence


def _upside_down(planes: tuple[PixelPlane, ...]) -> tuple[PixelPlane, ...]:
    values = [plane.values for plane in sorted(planes, key=lambda plane: plane.position[2])]
    ordered = sorted(planes, key=lambda plane: -plane.position[2])
    return tuple(replace(plane, values=array) for plane, array in zip(ordered, values, strict=True))


def test_thick_slices_alone_are_refused(read: ReadStudy) -> None:
    """T2 with 6 mm slices may help to see an edge, but no margin of 3 mm stands on it, whoever drew the contours."""
    with pytest.raises(Unusable) as refusal:
        analyse(without(read, Role.T1_PRE, Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED), OPTIONS)
    assert refusal.value.code == "exam.no_usable_phase"
    assert "6.0 mm apart" in refusal.value.sentence


def test_gain_of_one_phase_does_not_become_enhancement(read: ReadStudy) -> None:
    key = key_of(read, Role.PORTAL_VENOUS)
    louder = tuple(replace(plane, values=plane.values * np.float32(1.6)) for plane in read.planes[key])
    result = analyse(replace(read, planes={**read.planes, key: louder}), OPTIONS)
    found = finding(result, "tumor_enhancement_portal_venous")
    assert found.status is Status.NOT_ASSESSABLE
    assert found.reason is not None
    assert found.reason.code == "enhancement.gain"


def test_a_diffusion_weighted_phase_gives_its_ratio_and_no_contour(read: ReadStudy) -> None:
    """The T1 phase that stands for it has the tumor's true ratio; it takes no part in what finds or judges edges."""
    roles = {**read.roles, key_of(read, Role.DELAYED): RoleGuess(Role.DWI, 1.0, ())}
    result = analyse(replace(read, roles=roles), OPTIONS)
    found = finding(result, "tumor_dwi_ratio")
    assert Role.DWI in {use.role for use in result.phases if use.used}
    true = signal(Tissue.TUMOR, Role.DELAYED, 0.6) / signal(Tissue.LIVER, Role.DELAYED)
    assert pytest.approx(true, abs=0.08) == found.value


def test_verdict_keeps_to_the_words(read: ReadStudy) -> None:
    said = analyse(read, OPTIONS).verdict.lower()
    assert "<= 3 mm" in said
    assert not [word for word in FORBIDDEN if word.lower() in said]
