"""A phantom patient: images, masks and truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.phantom.bodies import Floats
from service.phantom.degrade import TYPICAL, Degradations, degrade, shift_of
from service.phantom.recipe import PhantomRecipe, Size, Wish, random_recipe
from service.phantom.sample import fraction, index_box
from service.phantom.scene import bodies, paint
from service.phantom.signals import PHASES
from service.phantom.truth import Truth, measure_truth
from service.phantom.uids import derive_uid
from service.phantom.vessels import VesselKind, classify
from service.regions.region import Kind
from service.study.model import Role, Vector
from service.volumes.volume import Volume

AROUND = 12.0
"""How much liver `make_masks` keeps around the zone, mm: more than a margin that is measured."""


@dataclass(frozen=True, slots=True, eq=False)
class PhantomPatient:
    """One patient. The T1 phases and all masks share one grid; T2 has its own, coarser one.

    `masks` are fractional (0-1). The images are degraded as the recipe says, the masks are where the patient lay in T1_PRE.
    """

    recipe: PhantomRecipe
    phases: Mapping[Role, Volume]
    masks: Mapping[Kind, Volume]
    truth: Truth


@dataclass(frozen=True, slots=True, eq=False)
class PhantomMasks:
    """Masks around the zone and the truth, without images."""

    recipe: PhantomRecipe
    masks: Mapping[Kind, Volume]
    truth: Truth


def make_patient(
    seed: int = 0,
    size: Size = "small",
    *,
    spacing: Vector | None = None,
    vessel: VesselKind | None = None,
    margin: float | None = None,
    degradations: Degradations = TYPICAL,
) -> PhantomPatient:
    """A random patient; for more wishes change a recipe and `render` it.

    `spacing` is (slice, row, column), mm, of the T1 phases; `margin` (mm) is met within about half a millimeter.
    """
    recipe = random_recipe(seed, spacing, Wish(size=size, vessel=vessel, margin=margin))
    return render(replace(recipe, degradations=replace(degradations, seed=seed)))


def render(recipe: PhantomRecipe, roles: Sequence[Role] = PHASES) -> PhantomPatient:
    """The patient of a recipe, in all phases or in those of `roles`."""
    where = derive_uid(recipe, "frame of reference")
    grid = replace(recipe.t1.empty(), frame_of_reference_uid=where)
    masks = {kind: fraction(body, grid) for kind, body in bodies(recipe).items()}
    phases = {role: replace(image, frame_of_reference_uid=where) for role, image in _images(recipe, roles).items()}
    return PhantomPatient(recipe, phases, masks, truth_of(recipe))


def make_masks(recipe: PhantomRecipe) -> PhantomMasks:
    """Masks cut to the zone and 12 mm around it, and the truth: fast enough for thousands of cases."""
    grid = recipe.t1.empty()
    low, high = (np.array(corner) for corner in recipe.lesion.zone_body.bounds())
    part = grid.crop(*index_box(grid, (_vector(low - AROUND), _vector(high + AROUND))))
    masks = {kind: fraction(body, part) for kind, body in bodies(recipe).items()}
    return PhantomMasks(recipe, masks, truth_of(recipe))


def truth_of(recipe: PhantomRecipe) -> Truth:
    """The right answers for a recipe."""
    return measure_truth(recipe.lesion, classify(recipe.lesion, recipe.tube), recipe.enhancement)


def _images(recipe: PhantomRecipe, wanted: Sequence[Role]) -> Mapping[Role, Volume]:
    phases: dict[Role, Volume] = {}
    for together, moved in _together(recipe):
        roles = tuple(role for role in together if role in wanted)
        grid = (recipe.t2 if Role.T2 in together else recipe.t1).empty()
        affine = grid.affine.copy()
        affine[:3, 3] -= moved
        painted = paint(recipe, replace(grid, affine=affine), roles) if roles else {}
        for role in roles:
            phases[role] = degrade(grid.with_values(painted[role].values), recipe.degradations, role)
    return {role: phases[role] for role in PHASES if role in phases}


def _together(recipe: PhantomRecipe) -> list[tuple[tuple[Role, ...], Floats]]:
    """Phases that show the patient at the same place on the same grid, with that place (shift, LPS mm)."""
    t1 = tuple(role for role in PHASES if role is not Role.T2)
    shifts = {role: shift_of(recipe.degradations, role) for role in PHASES}
    if recipe.degradations.breathing == 0:
        return [(t1, np.zeros(3)), ((Role.T2,), shifts[Role.T2])]
    return [((role,), shifts[role]) for role in PHASES]


def _vector(values: Floats) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
