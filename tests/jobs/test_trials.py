"""Each phantom of the self-test must be missed by the faults that it guards against: one station is broken at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.errors import Unusable
from service.jobs.analysis import read_study
from service.jobs.expected import EXACT_MM, PLACE_MM, shortfalls
from service.jobs.rehearse import WHEN
from service.jobs.trials import Trial, corner, dynamic, oblique
from service.options import AnalysisOptions
from service.pipeline import ReadStudy, analyse
from service.regions.margin_surface import MarginSurface, margin_surface
from service.regions.region import DrawnMask, Region, Regions
from service.regions.table import segment_all
from service.report.record import to_record
from service.study.model import Role
from service.volumes.align import Aligned
from service.volumes.build import PixelPlane, build_volume
from service.volumes.resampling import resample
from service.volumes.volume import Matrix, Volume
from tests.remembered import remembered_stages

pytestmark = pytest.mark.timeout(240)
OPTIONS = AnalysisOptions(segmenters=("drawn",))
Patch = pytest.MonkeyPatch
ALONG_BODY, FRONT_BACK, LEFT_RIGHT = 0, 1, 2  # axes of a volume with axial slices


@pytest.fixture(autouse=True, scope="module")
def memory() -> Iterator[None]:
    """One station is broken at a time: what comes before it is asked anew each time."""
    with remembered_stages():
        yield


@dataclass(frozen=True)
class Ready:
    """A phantom as read from its files, pixels included."""

    trial: Trial
    read: ReadStudy

    def missed(self, read: ReadStudy | None = None) -> tuple[str, ...]:
        """What the analysis misses of it."""
        try:
            return shortfalls(to_record(analyse(read or self.read, OPTIONS)), self.trial.expected)
        except Unusable as fault:
            return (f"no result: {fault.sentence}",)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ready]:
    """All three phantoms by name; their files are written and read once."""
    return {trial.expected.name: _read(trial, tmp_path_factory.mktemp("trial")) for trial in (corner(), dynamic(), oblique())}


def _read(trial: Trial, folder: Path) -> Ready:
    return Ready(trial, read_study(trial.write(folder), OPTIONS, WHEN, content_version="test"))


NAMES = ("corner", "dynamic", "oblique")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_missed_by_the_product(ready: Mapping[str, Ready], name: str) -> None:
    assert ready[name].missed() == ()


def test_both_categories_and_both_vessel_answers_are_asked_for(ready: Mapping[str, Ready]) -> None:
    truths = {name: ready[name].trial.expected.truth for name in NAMES}
    assert [truths[name].minimum_margin < 3 - EXACT_MM for name in NAMES] == [True, True, False]
    assert truths["oblique"].minimum_margin > 3 + EXACT_MM
    assert [truths[name].vessel.bridges for name in NAMES] == [False, True, False]
    assert [truths[name].enhancing for name in NAMES] == [True, True, False]


@pytest.mark.parametrize("name", NAMES)
def test_every_mirror_image_moves_the_narrowest_place(ready: Mapping[str, Ready], name: str) -> None:
    """About the middle of the grid and about the origin, along every axis."""
    trial = ready[name].trial
    place = np.array(trial.expected.truth.margin.place)
    assert (2 * np.abs(place - np.array(trial.patient.recipe.t1.center)) > 2 * PLACE_MM).all()
    assert (2 * np.abs(place) > 2 * PLACE_MM).all()


def test_the_files_are_what_they_are_meant_to_be(ready: Mapping[str, Ready]) -> None:
    """Slices numbered from head to feet, phases that no description tells apart, frames in one oblique object."""
    corner_phase = ready["corner"].read.study.phases[0]
    numbered = sorted(corner_phase.planes, key=lambda plane: plane.instance.instance_number or 0)
    heights = [plane.frame.position[2] for plane in numbered if plane.frame.position]
    assert len(heights) == len(numbered)
    assert heights == sorted(heights, reverse=True)
    names = {phase.first.series_description for phase in ready["dynamic"].read.study.phases}
    assert len(ready["dynamic"].read.study.phases) == 4
    assert len(names) == 1
    oblique_phase = ready["oblique"].read.study.phases[0]
    assert len({plane.instance.sop_instance_uid for plane in oblique_phase.planes}) == 1
    orientation = oblique_phase.planes[0].frame.orientation
    assert orientation is not None
    assert sum(abs(part) > 0.1 for part in orientation) > 2


# Faults of the geometry


def _volumes(patch: Patch, change: Callable[[Volume], Volume]) -> None:
    """Let every volume that is built be another one."""
    patch.setattr("service.pipeline.build_volume", lambda planes, uid: change(build_volume(planes, uid)))


def _regions(patch: Patch, change: Callable[[Volume], Volume]) -> None:
    """Let every contour be another one."""

    def altered(region: Region) -> Region:
        return replace(region, mask=change(region.mask))

    def segment(*arguments: Any) -> Regions:
        found = segment_all(*arguments)
        return replace(
            found,
            tumors=tuple(altered(one) for one in found.tumors),
            zones=tuple(altered(one) for one in found.zones),
            liver=altered(found.liver) if found.liver else None,
            vessels=altered(found.vessels) if found.vessels else None,
        )

    patch.setattr("service.pipeline.segment_all", segment)


def _mirrored(axis: int) -> Callable[[Volume], Volume]:
    return lambda volume: volume.with_values(np.ascontiguousarray(np.flip(volume.values, axis)))


def _stretched(axis: int) -> Callable[[Volume], Volume]:
    def stretch(volume: Volume) -> Volume:
        affine = volume.affine.copy()
        affine[:3, axis] *= 1.5
        return replace(volume, affine=affine)

    return stretch


@pytest.mark.parametrize(
    ("name", "axis"),
    [
        ("corner", ALONG_BODY),
        ("corner", FRONT_BACK),
        ("corner", LEFT_RIGHT),
        ("dynamic", ALONG_BODY),
        ("oblique", ALONG_BODY),
        ("oblique", LEFT_RIGHT),
    ],
)
def test_images_that_are_flipped_are_missed(ready: Mapping[str, Ready], monkeypatch: Patch, name: str, axis: int) -> None:
    """Reversed slices, rows or columns: the contours no longer lie on what the images show."""
    _volumes(monkeypatch, _mirrored(axis))
    assert ready[name].missed() != ()


@pytest.mark.parametrize(
    ("axis", "said"), [(ALONG_BODY, "to the feet"), (FRONT_BACK, "to the back"), (LEFT_RIGHT, "to the left")]
)
def test_images_and_contours_flipped_together_are_missed_by_the_place(
    ready: Mapping[str, Ready], monkeypatch: Patch, axis: int, said: str
) -> None:
    """Every number is right then: only the place tells."""
    _volumes(monkeypatch, _mirrored(axis))
    drawn = tuple(replace(one, mask=_mirrored(axis)(one.mask)) for one in _masks(ready["corner"].read))
    (fact,) = ready["corner"].missed(replace(ready["corner"].read, drawings=_on_whole_grid(drawn, ready["corner"].read, axis)))
    assert fact.startswith("the narrowest place is ")
    assert said in fact


def _masks(read: ReadStudy) -> tuple[DrawnMask, ...]:
    return tuple(drawing for drawing in read.drawings if isinstance(drawing, DrawnMask))


def _on_whole_grid(drawn: tuple[DrawnMask, ...], read: ReadStudy, axis: int) -> tuple[DrawnMask, ...]:
    """Masks mirrored about the middle of the images' grid and not of their own."""
    planes = next(iter(read.planes.values()))
    whole = build_volume(planes, "")
    middle = whole.to_mm((np.array(whole.shape) - 1) / 2.0)
    normal = whole.affine[:3, axis] / np.linalg.norm(whole.affine[:3, axis])
    moved = []
    for one in drawn:
        own = one.mask.to_mm((np.array(one.mask.shape) - 1) / 2.0)
        affine = one.mask.affine.copy()
        affine[:3, 3] += 2 * ((middle - own) @ normal) * normal
        moved.append(replace(one, mask=replace(one.mask, affine=affine)))
    return tuple(moved)


@pytest.mark.parametrize("name", NAMES)
def test_coordinates_of_another_convention_are_missed_by_the_place(ready: Mapping[str, Ready], name: str) -> None:
    """Right-anterior-superior for left-posterior-superior, of images and contours alike: nothing contradicts itself."""
    turn = np.diag([-1.0, -1.0, 1.0, 1.0])
    read = ready[name].read
    planes = {key: tuple(_turned(plane, turn) for plane in planes) for key, planes in read.planes.items()}
    drawn = tuple(replace(one, mask=replace(one.mask, affine=turn @ one.mask.affine)) for one in _masks(read))
    facts = ready[name].missed(replace(read, planes=planes, drawings=drawn))
    assert any(fact.startswith("the narrowest place is ") for fact in facts)


def _turned(plane: PixelPlane, turn: Matrix) -> PixelPlane:
    x, y, z = turn[:3, :3] @ plane.position
    row, column = turn[:3, :3] @ plane.orientation[:3], turn[:3, :3] @ plane.orientation[3:]
    a, b, c, d, e, f = (float(part) for part in (*row, *column))
    return replace(plane, position=(float(x), float(y), float(z)), orientation=(a, b, c, d, e, f))


@pytest.mark.parametrize("axis", [ALONG_BODY, FRONT_BACK, LEFT_RIGHT])
def test_a_wrong_spacing_is_missed(ready: Mapping[str, Ready], monkeypatch: Patch, axis: int) -> None:
    """Of the images alone, and of images and contours alike: volumes and margins are too large then."""
    _volumes(monkeypatch, _stretched(axis))
    assert ready["corner"].missed() != ()
    drawn = tuple(replace(one, mask=_stretched(axis)(one.mask)) for one in _masks(ready["corner"].read))
    assert ready["corner"].missed(replace(ready["corner"].read, drawings=drawn)) != ()


def test_an_ignored_tilt_is_missed(ready: Mapping[str, Ready], monkeypatch: Patch) -> None:
    """Oblique slices taken for axial ones."""

    def straight(volume: Volume) -> Volume:
        affine = volume.affine.copy()
        affine[:3, :3] = np.rint(affine[:3, :3] / np.array(volume.spacing)) * np.array(volume.spacing)
        return replace(volume, affine=affine)

    _volumes(monkeypatch, straight)
    assert ready["oblique"].missed() != ()


@pytest.mark.parametrize("axis", [ALONG_BODY, FRONT_BACK, LEFT_RIGHT])
def test_contours_that_are_flipped_are_missed(ready: Mapping[str, Ready], monkeypatch: Patch, axis: int) -> None:
    _regions(monkeypatch, _mirrored(axis))
    assert ready["corner"].missed() != ()


# Faults of the phases


def _key_of(read: ReadStudy, role: Role) -> str:
    return next(key for key, guess in read.roles.items() if guess.role is role)


def _swapped(held: Mapping[str, Any], one: str, other: str) -> dict[str, Any]:
    return {**held, one: held[other], other: held[one]}


SWAPS = [
    (Role.T1_PRE, Role.ARTERIAL),
    (Role.T1_PRE, Role.PORTAL_VENOUS),
    (Role.T1_PRE, Role.DELAYED),
    (Role.ARTERIAL, Role.PORTAL_VENOUS),
    (Role.ARTERIAL, Role.DELAYED),
    (Role.PORTAL_VENOUS, Role.DELAYED),
]


@pytest.mark.parametrize(("one", "other"), SWAPS)
def test_swapped_roles_are_named(ready: Mapping[str, Ready], one: Role, other: Role) -> None:
    read = ready["dynamic"].read
    facts = ready["dynamic"].missed(replace(read, roles=_swapped(read.roles, _key_of(read, one), _key_of(read, other))))
    assert any(f"is taken for {one.replace('_', ' ')}, it is {other.replace('_', ' ')}" in fact for fact in facts)


@pytest.mark.parametrize(("one", "other"), SWAPS)
def test_swapped_pixels_are_missed_by_the_enhancement(ready: Mapping[str, Ready], one: Role, other: Role) -> None:
    """The headers are right, so that no role tells."""
    read = ready["dynamic"].read
    facts = ready["dynamic"].missed(replace(read, planes=_swapped(read.planes, _key_of(read, one), _key_of(read, other))))
    assert any(fact.startswith("tumor enhancement, ") for fact in facts)


@pytest.mark.parametrize("name", ["corner", "oblique"])
def test_before_and_after_contrast_swapped_is_missed_by_every_phantom(ready: Mapping[str, Ready], name: str) -> None:
    read = ready[name].read
    keys = _key_of(read, Role.T1_PRE), _key_of(read, Role.PORTAL_VENOUS)
    assert ready[name].missed(replace(read, planes=_swapped(read.planes, *keys))) != ()


def test_a_phase_that_is_left_out_is_named(ready: Mapping[str, Ready]) -> None:
    read = ready["dynamic"].read
    gone = _key_of(read, Role.DELAYED)
    planes = {key: planes for key, planes in read.planes.items() if key != gone}
    facts = ready["dynamic"].missed(replace(read, planes=planes))
    assert "series 8 (delayed) was not used: The pixels of this series were not read." in facts


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_alignment_that_is_5_mm_off_is_missed(
    ready: Mapping[str, Ready], monkeypatch: Patch, axis: int, sign: float
) -> None:
    motion = np.eye(4)
    motion[axis, 3] = 5.0 * sign

    def shifted(reference: Volume, moving: Volume) -> Aligned:
        return Aligned(resample(moving, reference, motion=motion), 0.5, 5.0, motion)

    monkeypatch.setattr("service.pipeline.align", shifted)
    assert any(fact.startswith("tumor enhancement, ") for fact in ready["dynamic"].missed())


# Faults of the margin


def _surfaces(patch: Patch, change: Callable[[MarginSurface], MarginSurface]) -> None:
    patch.setattr("service.pipeline.margin_surface", lambda *arguments: change(margin_surface(*arguments)))


@pytest.mark.parametrize("name", ["corner", "oblique"])
def test_a_median_for_a_minimum_is_missed(ready: Mapping[str, Ready], monkeypatch: Patch, name: str) -> None:
    _surfaces(monkeypatch, lambda surface: replace(surface, margin=np.full_like(surface.margin, np.median(surface.margin))))
    assert any("too large" in fact for fact in ready[name].missed())


@pytest.mark.parametrize(("name", "by", "said"), [("corner", 2.5, "too large"), ("oblique", -3.5, "too small")])
def test_the_other_category_is_missed(ready: Mapping[str, Ready], monkeypatch: Patch, name: str, by: float, said: str) -> None:
    _surfaces(monkeypatch, lambda surface: replace(surface, margin=surface.margin + by))
    facts = ready[name].missed()
    assert any(said in fact for fact in facts)
    assert any(fact.startswith("Minimum ablation margin: ") for fact in facts)


def test_a_place_on_the_far_side_is_missed(ready: Mapping[str, Ready], monkeypatch: Patch) -> None:
    """The number is right, the point is another one."""
    _surfaces(monkeypatch, lambda surface: replace(surface, points=np.roll(surface.points, len(surface.points) // 2, axis=0)))
    assert any(fact.startswith("the narrowest place is ") for fact in ready["corner"].missed())
