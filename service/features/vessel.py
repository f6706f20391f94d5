"""A blood vessel bridging the margin: one patent lumen from liver outside the zone to the tumor.

Found as the widest path: the component of enhancing voxels inside the zone that hangs together with the liver outside, at the
highest threshold at which it still reaches the tumor. Source: Shyn et al., AJR 2014;203:W181-91: a bridging vessel in 11 of
14 tumors with and 9 of 40 without local tumor progression (p = .00033). Operational definitions are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.codes import MM, UNDETERMINED, Code, ours
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.regions.margin_surface import noise_sd
from service.study.model import Role
from service.volumes.volume import Array, Volume

CODE = ours("BRIDGEVESSEL", "Blood vessel bridging the margin")
GAP_CODE = ours("VESSELGAP", "Distance of the vessel in the margin to the tumor")
BRIDGES = ours("VBRIDGES", "Bridges the margin")
TRAVERSES = ours("VTRAVERSES", "Traverses the margin without reaching the tumor")
ABUTS = ours("VABUTS", "Abuts the ablation zone")
NONE_SEEN = ours("VNONESEEN", "None seen")
METHOD = "Widest path through the margin, portal-venous minus before contrast, version 1"
SOURCE = "Shyn et al., AJR 2014;203:W181-91"
NAME, TITLE = "bridging_vessel", "Blood vessel bridging the margin"
GAP_NAME, GAP_TITLE = "vessel_gap", "Distance of the vessel in the margin to the tumor"

LUMEN = 0.45  # of the way from ablated tissue to a full vessel: half a voxel of lumen, less a little noise
FAINT = 0.25  # below it a path is noise or partial volume
SIGMAS = 5.0  # of noise above ablated tissue: a path may pick the best of hundreds of voxels
THINNEST = 2.0  # voxels of margin, below which no path through it can be told from its two edges
REACHED = 1.0  # voxels from the tumor edge that count as reaching it
BESIDE = 2  # voxels outside the zone in which a vessel abuts it
BRIGHTEST = 99.7  # percentile of liver taken for the signal of a full lumen
MUCH_BRIGHTER = 1.6  # times the liver's own enhancement, for that percentile to be vessel at all


def measure(case: Case) -> tuple[Finding, ...]:
    """The category, and the gap (mm) where a vessel enters the margin but does not reach the tumor."""
    reason = _obstacle(case)
    if reason is not None:
        return _without(case, reason)
    scene = _scene(case)
    if isinstance(scene, Reason):
        return _without(case, scene)
    return _answer(case, scene, _search(scene))


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """The neighbourhood of one zone: uptake (0 = ablated tissue, 1 = full lumen) and where things are."""

    uptake: Array
    noise: float  # SD of uptake
    margin: NDArray[np.bool_]
    inner: NDArray[np.bool_]  # voxels of the margin that touch the tumor's edge
    outer: NDArray[np.bool_]  # voxels of the margin that touch liver outside the zone
    beside: NDArray[np.bool_]
    to_tumor: Array  # mm
    step: float  # mm, the largest spacing
    thin: bool
    subtracted: bool


@dataclass(frozen=True, slots=True)
class _Path:
    """The strongest connection: its weakest point (uptake) and the gap (mm) that the bright part of it leaves."""

    bottleneck: float
    gap: float
    enters: bool
    abuts: bool


def _search(scene: _Scene) -> _Path:
    """Bottleneck of the widest path across the margin, and how near to the tumor a clear lumen comes."""
    lumen = _reaching(scene, max(LUMEN, SIGMAS * scene.noise))
    gap = float(scene.to_tumor[lumen].min()) if lumen.any() else np.inf
    depth = float(scene.to_tumor[scene.margin].max()) if scene.margin.any() else 0.0
    return _Path(
        bottleneck=_bottleneck(scene),
        gap=gap,
        enters=bool(lumen.any()) and gap < depth - scene.step,
        abuts=bool((scene.uptake[scene.beside] >= LUMEN).any()),
    )


def _bottleneck(scene: _Scene) -> float:
    """The highest threshold at which liver outside and the tumor still hang together, by bisection."""
    low, high = 0.0, 1.5
    for _ in range(9):
        middle = (low + high) / 2.0
        if (_reaching(scene, middle) & scene.inner).any():
            low = middle
        else:
            high = middle
    return low


def _reaching(scene: _Scene, threshold: float) -> NDArray[np.bool_]:
    """Voxels of the margin at or above `threshold` that hang together with its outer face."""
    labels, _ = ndimage.label(scene.margin & (scene.uptake >= threshold), structure=np.ones((3, 3, 3)))
    started = np.unique(labels[scene.outer & (labels > 0)])
    return np.isin(labels, started[started > 0])


def _scene(case: Case) -> _Scene | Reason:
    """The uptake around the zone, or why it cannot be told."""
    if case.zone is None or case.tumor is None:  # held by _obstacle; for the type checker
        return Reason("vessel.no_contour", "Tumor or ablation zone is not known.")
    zone, tumor = case.zone.mask.values, case.tumor.mask.values
    image, subtracted = _image(case)
    known = np.isfinite(image.values)
    margin = (zone > 0.97) & (tumor < 0.03) & known
    liver = _outside(case) & known
    if margin.sum() < 30 or liver.sum() < 200:
        return Reason("vessel.no_margin", "There is too little margin or liver around it to look for a vessel.")
    ablated = float(np.median(image.values[margin]))
    background = float(np.median(image.values[liver]))
    full = _full_lumen(case, image, liver)
    if full - ablated < MUCH_BRIGHTER * (background - ablated):
        return Reason("vessel.no_reference", "No vessel of the liver is brighter than the liver itself: contrast is too weak.")
    scale = full - ablated
    return _Scene(
        uptake=np.nan_to_num((image.values - ablated) / scale).astype(np.float32),
        noise=noise_sd(image, margin) / scale,
        margin=margin,
        inner=margin & _grown(tumor >= 0.03),
        outer=margin & _grown(zone <= 0.97),
        beside=liver & _grown(zone > 0.5, BESIDE),
        to_tumor=ndimage.distance_transform_edt(tumor < 0.5, sampling=image.spacing).astype(np.float32),
        step=max(image.spacing),
        thin=_thin(case, image),
        subtracted=subtracted,
    )


def _image(case: Case) -> tuple[Volume, bool]:
    """Portal-venous minus before contrast, which removes blood that is bright by itself; else portal-venous alone."""
    portal = case.phases[Role.PORTAL_VENOUS]
    before = case.phases.get(Role.T1_PRE)
    if before is None:
        return portal, False
    return portal.with_values(portal.values - before.values), True


def _outside(case: Case) -> NDArray[np.bool_]:
    """Liver outside the zone, or everything within 15 mm of it without a liver mask."""
    if case.zone is None:
        return np.zeros((0, 0, 0), dtype=bool)
    free = case.zone.mask.values < 0.03
    if case.liver is not None:
        return np.asarray(free & (case.liver.mask.values > 0.97), dtype=bool)
    distance = ndimage.distance_transform_edt(case.zone.mask.values < 0.5, sampling=case.zone.mask.spacing)
    return np.asarray(free & (distance <= 15.0), dtype=bool)


def _full_lumen(case: Case, image: Volume, liver: NDArray[np.bool_]) -> float:
    """Signal of a lumen that fills its voxel: the median of the vessels where they are known, else the brightest liver."""
    if case.vessels is not None and int((core := case.vessels.mask.values > 0.9).sum()) >= 8:
        return float(np.nanmedian(image.values[core]))
    return float(np.percentile(image.values[liver], BRIGHTEST))


def _grown(where: NDArray[np.bool_], steps: int = 1) -> NDArray[np.bool_]:
    return np.asarray(ndimage.binary_dilation(where, structure=np.ones((3, 3, 3)), iterations=steps), dtype=bool)


def _thin(case: Case, image: Volume) -> bool:
    """Whether the margin is somewhere thinner than two voxels, so that a path cannot be told from its edges."""
    if case.surface is None:
        return True
    direction = case.surface.nearest - case.surface.points
    voxels = np.linalg.norm(direction @ np.linalg.inv(image.affine[:3, :3]).T, axis=1)
    return bool((np.where(case.surface.margin < 0, 0.0, voxels) < THINNEST).any())


def _obstacle(case: Case) -> Reason | None:
    if case.tumor is None or case.zone is None:
        return Reason("vessel.no_contour", case.missing.get("margin", "Tumor or ablation zone is not known."))
    if Role.PORTAL_VENOUS not in case.phases:
        sentence = case.missing.get(Role.PORTAL_VENOUS.value, "There is no portal-venous phase, in which vessels are judged.")
        return Reason("vessel.no_portal_venous", sentence)
    return None


def _answer(case: Case, scene: _Scene, path: _Path) -> tuple[Finding, ...]:
    answer, reason = _category(scene, path)
    entire = case.visibility is not None and bool(case.visibility.assessable.mean() > 0.9)
    if answer in {NONE_SEEN, ABUTS, TRAVERSES} and (scene.thin or not entire):
        sentence = "No bridging vessel in the part that can be judged; the margin is thinner than two voxels or hidden in part."
        answer, reason = UNDETERMINED, Reason("vessel.part_not_assessable", sentence)
    finding = Finding(
        name=NAME,
        title=TITLE,
        code=CODE,
        method=METHOD,
        status=Status.MEASURED,
        category=answer,
        reason=reason,
        contours=case.contours,
        inputs=case.keys,
        source=SOURCE,
    )
    return finding, _gap(case, path, answer)


def _category(scene: _Scene, path: _Path) -> tuple[Code, Reason | None]:
    clear = max(LUMEN, SIGMAS * scene.noise)
    if path.bottleneck >= clear:
        if scene.thin:
            sentence = "Bright tissue crosses the margin, which is thinner than two voxels somewhere: liver or a vessel."
            return UNDETERMINED, Reason("vessel.thin_margin", sentence)
        if not scene.subtracted:
            sentence = "A bright path crosses the margin; without the phase before contrast it may be blood in the tract."
            return UNDETERMINED, Reason("vessel.no_subtraction", sentence)
        return BRIDGES, None
    if path.bottleneck >= min(FAINT, clear):
        sentence = "A faint path crosses the margin: too weak to be called a vessel, too strong for none."
        return UNDETERMINED, Reason("vessel.faint", sentence)
    if path.enters:
        return TRAVERSES, None
    return (ABUTS if path.abuts else NONE_SEEN), None


def _gap(case: Case, path: _Path, answer: Code) -> Finding:
    if answer is TRAVERSES:
        return Finding(
            GAP_NAME,
            GAP_TITLE,
            GAP_CODE,
            METHOD,
            Status.MEASURED,
            value=path.gap,
            unit=MM,
            contours=case.contours,
            inputs=case.keys,
        )
    reason = Reason("vessel.no_gap", "Only a vessel that enters the margin without reaching the tumor has a gap.")
    return Finding(GAP_NAME, GAP_TITLE, GAP_CODE, METHOD, Status.NOT_ATTEMPTED, reason=reason, inputs=case.keys)


def _without(case: Case, reason: Reason) -> tuple[Finding, ...]:
    return tuple(
        Finding(name, title, code, METHOD, Status.NOT_ASSESSABLE, reason=reason, contours=case.contours, inputs=case.keys)
        for name, title, code in ((NAME, TITLE, CODE), (GAP_NAME, GAP_TITLE, GAP_CODE))
    )
