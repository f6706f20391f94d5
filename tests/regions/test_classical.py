"""Contours from the images alone: right on phantoms whatever the gain, and a refusal where there is nothing to find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from service.errors import Unusable
from service.phantom.degrade import Degradations
from service.phantom.patient import PhantomPatient, render
from service.phantom.recipe import Wish, random_recipe
from service.phantom.vessels import VesselKind
from service.regions.classical import segment
from service.regions.region import Exam, Kind, Region, Regions
from service.study.model import Role
from service.volumes.resampling import resample
from service.volumes.volume import Volume


def patient(
    seed: int = 4, *, bias: float = 0.1, snr: float = 20.0, enhancement: float = 0.6, margin: float = 6.0
) -> PhantomPatient:
    wish = Wish(vessel=VesselKind.NONE, enhancement=enhancement, margin=margin, round_tumor=True, tumor_radius=7.0)
    recipe = replace(random_recipe(seed, None, wish), haemorrhagic=False)
    return render(replace(recipe, degradations=Degradations(seed=seed, snr=snr, bias=bias)))


def exam(of: PhantomPatient, phases: Mapping[Role, Volume] | None = None) -> Exam:
    """All phases on the portal-venous grid, as if registered."""
    seen = dict(of.phases if phases is None else phases)
    reference = seen[Role.PORTAL_VENOUS]
    others: dict[Role, float] = {role: 0.3 for role in seen if role is not Role.PORTAL_VENOUS}
    return Exam(Role.PORTAL_VENOUS, {role: resample(volume, reference) for role, volume in seen.items()}, others)


def dice(found: Region | None, truth: Volume) -> float:
    if found is None:
        return 0.0
    both = np.minimum(found.mask.values, truth.values).sum()
    return float(2 * both / (found.mask.values.sum() + truth.values.sum()))


@pytest.fixture(scope="module")
def usual() -> PhantomPatient:
    return patient()


@pytest.fixture(scope="module")
def found(usual: PhantomPatient) -> Regions:
    return segment(exam(usual))


def test_zone_and_tumor_lie_where_they_are(usual: PhantomPatient, found: Regions) -> None:
    assert len(found.zones) == 1
    assert dice(found.zones[0], usual.masks[Kind.ABLATION_ZONE]) > 0.96
    assert len(found.tumors) == 1
    assert dice(found.tumors[0], usual.masks[Kind.TUMOR]) > 0.85
    assert dice(found.liver, usual.masks[Kind.LIVER]) > 0.9


def test_masks_are_soft_and_whole_on_the_reference_grid(usual: PhantomPatient, found: Regions) -> None:
    """Fractions at the edge are what makes a surface finer than a voxel; unknown values would spoil every measurement."""
    assert found.liver is not None
    for region in (found.liver, *found.zones, *found.tumors):
        values = region.mask.values
        assert region.mask.same_grid(usual.phases[Role.PORTAL_VENOUS])
        assert values.min() >= 0.0
        assert values.max() <= 1.0
        assert ((values > 0.1) & (values < 0.9)).any()
        assert not region.binary


def test_zone_lies_in_the_liver(found: Regions) -> None:
    """Untreated liver is liver minus zone: a zone outside the liver would hide it."""
    assert found.liver is not None
    assert np.all(found.liver.mask.values >= found.zones[0].mask.values - 1e-6)


def test_coil_bias_does_not_matter() -> None:
    case = patient(7, bias=0.3)
    regions = segment(exam(case))
    assert dice(regions.zones[0], case.masks[Kind.ABLATION_ZONE]) > 0.95


def test_gain_of_each_phase_does_not_matter(usual: PhantomPatient, found: Regions) -> None:
    """Absolute brightness means nothing in MR, and phases may differ in it."""
    gains = dict(zip(usual.phases, (7.3, 0.02, 1.0, 40.0, 3.1), strict=True))
    other = {role: volume.with_values(volume.values * np.float32(gains[role])) for role, volume in usual.phases.items()}
    regions = segment(exam(usual, other))
    assert dice(regions.zones[0], found.zones[0].mask) > 0.995
    assert dice(regions.tumors[0], found.tumors[0].mask) > 0.98


def test_an_uncovered_part_of_a_phase_is_not_dark_tissue(usual: PhantomPatient) -> None:
    """A phase that moved does not reach all slices: what is unknown must not look like ablated tissue."""
    before = usual.phases[Role.T1_PRE]
    values = before.values.copy()
    values[:3] = np.nan
    regions = segment(exam(usual, {**usual.phases, Role.T1_PRE: before.with_values(values)}))
    assert dice(regions.zones[0], usual.masks[Kind.ABLATION_ZONE]) > 0.95
    assert regions.liver is not None
    assert np.isfinite(regions.liver.mask.values).all()


def test_a_tumor_like_the_ablated_tissue_is_left_out_with_the_reason() -> None:
    """Dangerous failure 2: a tumor that cannot be seen must not become a wide margin."""
    case = patient(4)
    hidden: dict[Role, Volume] = {
        role: volume.with_values(_painted_over(volume, case, role))
        for role, volume in case.phases.items()
        if role is not Role.T2
    }
    regions = segment(exam(case, hidden))
    assert len(regions.zones) == 1
    assert regions.tumors == ()
    assert (regions.reasons or {})[Kind.TUMOR].startswith("The treated tumor cannot be told")


def _painted_over(volume: Volume, case: PhantomPatient, role: Role) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The image with the tumor replaced by ablated tissue of the same noise."""
    tumor, zone = case.masks[Kind.TUMOR].values, case.masks[Kind.ABLATION_ZONE].values
    ablated = volume.values[(zone > 0.99) & (tumor < 0.01)]
    rng = np.random.default_rng(list(Role).index(role))
    noise = rng.normal(0.0, 5.0, volume.shape)
    return np.where(tumor > 0, float(np.median(ablated)) + noise, volume.values).astype(np.float32)


def test_a_liver_without_a_zone_is_refused() -> None:
    """No zone is said to be no zone, not the darkest place there is."""
    case = patient(4)
    zone = case.masks[Kind.ABLATION_ZONE].values
    whole: dict[Role, Volume] = {
        role: volume.with_values(_healed(volume, zone)) for role, volume in case.phases.items() if role is not Role.T2
    }
    with pytest.raises(Unusable) as caught:
        segment(exam(case, whole))
    assert caught.value.code == "regions.no_zone"


def _healed(
    volume: Volume, zone: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The image with liver in the place of the zone; the rim stays."""
    around = volume.values[(zone < 0.01) & (np.roll(zone, 14, axis=2) > 0.5)]
    noise = np.random.default_rng(3).normal(0.0, 5.0, volume.shape)
    return np.where(zone > 0, float(np.median(around)) + noise, volume.values).astype(np.float32)


@pytest.mark.parametrize("what", ["cube", "brain", "noise"])
def test_what_is_no_liver_is_refused(what: str) -> None:
    """A phantom cube and a brain without uptake hold no liver, in whatever gain their series come."""
    grid = np.indices((24, 64, 72)).astype(np.float32)
    away = np.sqrt(((grid[0] - 12) / 10) ** 2 + ((grid[1] - 32) / 26) ** 2 + ((grid[2] - 36) / 30) ** 2)
    scene = {
        "cube": np.where((np.abs(grid[1] - 32) < 20) & (np.abs(grid[2] - 36) < 20), 100.0, 0.0),
        "brain": np.where(away < 0.85, 100.0, np.where(away < 1.0, 30.0, 0.0)) - np.where(away < 0.25, 60.0, 0.0),
        "noise": np.zeros(away.shape),
    }[what]
    rng = np.random.default_rng(0)
    affine = np.diag([1.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]] @ np.diag([3.0, 2.0, 2.0, 1.0])

    def volume(gain: float) -> Volume:
        values = np.hypot(scene * gain + rng.normal(0, 4, scene.shape), rng.normal(0, 4, scene.shape))
        return Volume(values.astype(np.float32), affine)

    phases = {Role.T1_PRE: volume(1.0), Role.ARTERIAL: volume(1.4), Role.PORTAL_VENOUS: volume(1.9)}
    with pytest.raises(Unusable) as caught:
        segment(Exam(Role.PORTAL_VENOUS, phases, {Role.T1_PRE: 0.3, Role.ARTERIAL: 0.3}))
    assert caught.value.code in {"regions.no_liver", "regions.no_zone"}


@pytest.mark.parametrize("left", [Role.T1_PRE, Role.PORTAL_VENOUS])
def test_without_a_phase_before_or_after_contrast_nothing_is_guessed(usual: PhantomPatient, left: Role) -> None:
    only = exam(usual)
    phases = {left: only.phases[left]}
    with pytest.raises(Unusable) as caught:
        segment(Exam(left, phases, {}))
    assert caught.value.code == "regions.no_contrast_phase"


def test_same_images_same_contours(usual: PhantomPatient, found: Regions) -> None:
    again = segment(exam(usual))
    assert np.array_equal(found.zones[0].mask.values, again.zones[0].mask.values)
    assert np.array_equal(found.tumors[0].mask.values, again.tumors[0].mask.values)


def faint(of: PhantomPatient) -> Exam:
    """The exam of a zone that is too bright for an automatic start: four fifths of liver after contrast."""
    seen = exam(of)
    zone = resample(of.masks[Kind.ABLATION_ZONE], seen.phases[Role.PORTAL_VENOUS], outside=0.0).values
    liver = {role: float(np.median(volume.values[of.masks[Kind.LIVER].values > 0.9])) for role, volume in seen.phases.items()}
    part = {Role.T1_PRE: 0.95, Role.ARTERIAL: 0.85, Role.PORTAL_VENOUS: 0.8, Role.DELAYED: 0.8, Role.T2: 1.1}
    rng = np.random.default_rng(3)
    changed = {}
    for role, volume in seen.phases.items():
        level = part[role] * liver[role]
        painted = volume.values * (1 - zone) + zone * (level + 5.0 * rng.standard_normal(zone.shape))
        changed[role] = volume.with_values(painted.astype(np.float32))
    return replace(seen, phases=changed)


def middle(of: PhantomPatient) -> tuple[float, float, float]:
    """A point in the middle of the zone, LPS mm."""
    mask = of.masks[Kind.ABLATION_ZONE]
    inside = np.argwhere(mask.values > 0.99)
    x, y, z = mask.to_mm(inside[np.argmin(np.sum((inside - inside.mean(axis=0)) ** 2, axis=1))].astype(float))
    return float(x), float(y), float(z)


def test_one_point_is_enough_where_no_start_is_found(usual: PhantomPatient) -> None:
    bare = faint(usual)
    with pytest.raises(Unusable) as refusal:
        segment(bare)
    assert refusal.value.code == "regions.no_zone"
    pointed = segment(replace(bare, seeds=(middle(usual),)))
    assert len(pointed.zones) == 1
    assert dice(pointed.zones[0], usual.masks[Kind.ABLATION_ZONE]) > 0.85
    assert "A person pointed at the ablation zone" in pointed.notes[0]


def test_a_point_in_a_zone_that_is_found_anyway_changes_nothing_and_one_elsewhere_is_refused(
    usual: PhantomPatient, found: Regions
) -> None:
    pointed = segment(replace(exam(usual), seeds=(middle(usual),)))
    np.testing.assert_array_equal(pointed.zones[0].mask.values, found.zones[0].mask.values)
    for elsewhere in ((500.0, 0.0, 0.0), _in_liver(usual)):
        with pytest.raises(Unusable) as refusal:
            segment(replace(exam(usual), seeds=(elsewhere,)))
        assert refusal.value.code == "regions.seed"


def _in_liver(of: PhantomPatient) -> tuple[float, float, float]:
    """A point in untreated liver, as far from the zone as there is one."""
    zone = middle(of)
    mask = of.masks[Kind.LIVER]
    points = mask.to_mm(np.argwhere((mask.values > 0.99) & (of.masks[Kind.ABLATION_ZONE].values == 0)).astype(float))
    depth = np.linalg.norm(points - np.array(zone), axis=1)
    x, y, z = points[np.argsort(depth)[int(0.7 * len(points))]]
    return float(x), float(y), float(z)
