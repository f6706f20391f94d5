"""A tumor, its ablation zone and a vessel of known shape in a real volume, amid real anatomy and noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from service.phantom.bodies import Body, Everywhere, Floats, Grown, Union, moved
from service.phantom.lesion import Lesion
from service.phantom.mask_body import MaskBody
from service.phantom.patient import PhantomPatient, truth_of
from service.phantom.recipe import PhantomRecipe, Wish, draw_lesion
from service.phantom.sample import Grid, fraction
from service.phantom.scene import bodies, inside_liver
from service.phantom.signals import PHASES, Tissue, signal
from service.phantom.truth import sphere
from service.phantom.vessels import VesselKind, plan_vessel
from service.regions.region import Kind
from service.study.model import Role, Vector
from service.volumes.volume import Array, Volume

ATTEMPTS = 400
CLEAR = 4.0
"""How much real liver stays around an implanted zone and tumor, mm."""
NEAR = 15.0
"""How far around the zone the liver's brightness is measured, mm."""


def implant(
    volumes: Mapping[Role, Volume], liver: Volume, seed: int = 0, wish: Wish | None = None, *, at_border: bool = False
) -> PhantomPatient:
    """A patient whose images are `volumes` with a treated tumor put into `liver` (a mask 0-1 on any grid).

    Without `at_border` the zone lies inside the liver with 4 mm around it, so that the capsule formulae hold as they are; with
    it the zone is cut by the liver's surface, and the truth is found on the mask's interpolated surface. The masks lie on
    the grid of the portal-venous phase, else of the first. All volumes are scaled by one factor to the phantom's units.

    Raises:
        ValueError: The liver has no room for such a lesion.
    """
    rng = np.random.default_rng([seed, 5062014])
    want = wish or Wish()
    reference = volumes.get(Role.PORTAL_VENOUS, next(iter(volumes.values())))
    body = MaskBody(liver)
    recipe = _place(body, reference, want, rng, at_border=at_border)
    recipe = replace(recipe, seed=seed, t1=_grid(reference), t2=_grid(volumes.get(Role.T2, reference)))
    masks = {kind: fraction(part, _empty(reference)) for kind, part in bodies(recipe).items()}
    masks[Kind.LIVER] = fraction(body, _empty(reference))
    phases = {role: _blend(volumes[role], body, recipe, role, rng) for role in PHASES if role in volumes}
    return PhantomPatient(recipe, phases, masks, truth_of(recipe))


def _place(body: MaskBody, reference: Volume, want: Wish, rng: np.random.Generator, *, at_border: bool) -> PhantomRecipe:
    """A recipe whose lesion lies in the liver and in the field of view."""
    places = np.argwhere((fraction(body, _empty(reference)).values > 0.9) & _depth_fits(body, reference, at_border=at_border))
    for _ in range(ATTEMPTS if len(places) else 0):
        drawn = draw_lesion(rng, want)
        kind = want.vessel or VesselKind(rng.choice(list(VesselKind)))
        if drawn is None:
            continue
        to = reference.to_mm(places[rng.integers(len(places))] + rng.uniform(-0.5, 0.5, 3))
        lesion = _move(drawn, to, body)
        if not _fits(lesion, reference, at_border=at_border):
            continue
        tube = plan_vessel(lesion, kind, want.diameter or float(rng.uniform(3, 6)), rng)
        if tube is None and kind is not VesselKind.NONE:
            continue
        final = lesion if at_border else replace(lesion, liver=Everywhere(), convex_liver=True)
        bright = float(rng.choice([0.0, 0.6, 1.07])) if want.enhancement is None else want.enhancement
        shape = None if kind is VesselKind.NONE else tube
        return PhantomRecipe(0, "small", final, _grid(reference), _grid(reference), kind, shape, enhancement=bright)
    raise ValueError("the liver has no room for such a lesion")


def _depth_fits(body: MaskBody, reference: Volume, *, at_border: bool) -> np.ndarray:
    """Which voxels (k, j, i) are deep enough in the liver to try as the zone's middle."""
    index = np.stack(np.meshgrid(*map(np.arange, reference.shape), indexing="ij"), axis=-1).astype(np.float64)
    depth = -body.distance(reference.to_mm(index))
    return np.asarray((depth > 4) & (depth < 12) if at_border else depth > 8)


def _move(lesion: Lesion, to: Floats, liver: Body) -> Lesion:
    """The lesion with its zone's middle at `to`, in another liver."""
    by = to - np.mean([(np.array(part.start) + np.array(part.end)) / 2 for part in lesion.capsules], axis=0)
    tumor = tuple(replace(part, center=_vector(np.array(part.center) + by)) for part in lesion.tumor)
    return Lesion(liver, tumor, tuple(moved(part, by) for part in lesion.capsules), convex_liver=False)


def _fits(lesion: Lesion, reference: Volume, *, at_border: bool) -> bool:
    """Whether zone and tumor are in the liver (only the tumor at its border), in view, and the truth can be computed."""
    zone, tumor = _surface(lesion, of_tumor=False), _surface(lesion, of_tumor=True)
    index = reference.to_index(np.concatenate([zone, tumor]))
    in_view = bool(((index > 0) & (index < np.array(reference.shape) - 1)).all())
    covered = bool((Union(lesion.capsules).distance(tumor) < 0).all())
    cut = lesion.liver.distance(zone)
    if at_border:
        return in_view and covered and bool((lesion.liver.distance(tumor) < 0).all()) and bool((cut > 0).any())
    return in_view and bool((cut < 0).all()) and bool((lesion.liver.distance(tumor) < 0).all())


def _surface(lesion: Lesion, *, of_tumor: bool) -> Floats:
    """Points (n, 3) on the outline with `CLEAR` mm around it."""
    around = sphere(200)
    if of_tumor:
        sizes = [np.array(part.half_axes) if hasattr(part, "half_axes") else part.radius for part in lesion.tumor]
        return np.concatenate(
            [np.array(part.center) + (size + 0.5) * around for part, size in zip(lesion.tumor, sizes, strict=True)]
        )
    ends = [(end, part.radius + CLEAR) for part in lesion.capsules for end in (part.start, part.end)]
    return np.concatenate([np.array(end) + radius * around for end, radius in ends])


def _blend(volume: Volume, liver: MaskBody, recipe: PhantomRecipe, role: Role, rng: np.random.Generator) -> Volume:
    """The volume with the lesion's tissues in it, as bright against the liver around them as the table says."""
    empty = _empty(volume)
    share = fraction(liver, empty).values
    near = fraction(Grown(recipe.lesion.ice, NEAR), empty).values > 0
    level, noise = _level_and_noise(volume, (share > 0.9) & near)
    unit = level / signal(Tissue.LIVER, role)
    values = volume.values.astype(np.float32)
    for layer in inside_liver(recipe):
        mean = unit * signal(layer.tissue, role, recipe.enhancement, haemorrhagic=recipe.haemorrhagic)
        painted = mean + noise * rng.standard_normal(volume.shape, dtype=np.float32)
        values = values + share * fraction(layer.body, empty).values * (painted - values)
    return volume.with_values(np.maximum(values / unit, 0).astype(np.float32))


def _level_and_noise(volume: Volume, where: np.ndarray) -> tuple[float, float]:
    """Median brightness, and the noise's SD from the differences of neighbours in a row."""
    steps = np.diff(volume.values, axis=2)[where[..., 1:] & where[..., :-1]]
    level = float(np.median(volume.values[where]))
    return max(level, 1e-6), float(1.4826 * np.median(np.abs(steps - np.median(steps))) / 2**0.5)


def _grid(volume: Volume) -> Grid:
    """The grid's size and place; its direction stays with the volume."""
    return Grid(volume.shape, volume.spacing, _vector(volume.to_mm((np.array(volume.shape) - 1) / 2)))


def _empty(volume: Volume) -> Volume:
    values: Array = np.zeros(volume.shape, dtype=np.float32)
    return volume.with_values(values)


def _vector(values: Floats) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
