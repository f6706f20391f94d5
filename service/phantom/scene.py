"""What lies where in the patient, and how it is painted into an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.phantom.bodies import Ball, Body, Cylinder, Difference, Ellipsoid, Grown, HalfSpace, Intersection, Union
from service.phantom.recipe import PhantomRecipe, Size
from service.phantom.sample import fill, index_box
from service.phantom.signals import Tissue, signal
from service.regions.region import Kind
from service.study.model import Role
from service.volumes.volume import Array, Volume


@dataclass(frozen=True, slots=True)
class Layer:
    """A body of one tissue; later layers cover earlier ones."""

    body: Body
    tissue: Tissue


def _small() -> tuple[Layer, ...]:
    return (
        Layer(Cylinder((0, 0), (66, 54)), Tissue.FAT),
        Layer(Cylinder((0, 0), (63, 51)), Tissue.MUSCLE),
        Layer(Ball((-14, 66, 0), 24), Tissue.AIR),
    )


def _clinical() -> tuple[Layer, ...]:
    torso = Cylinder((0, 5), (178, 128))
    lung = Intersection((Cylinder((0, 5), (150, 102)), HalfSpace((0, 0, 15), (0, 0, -1))))
    return (
        Layer(torso, Tissue.FAT),
        Layer(Cylinder((0, 5), (166, 116)), Tissue.MUSCLE),
        Layer(lung, Tissue.AIR),
        Layer(Ellipsoid((105, 30, 5), (35, 50, 50)), Tissue.SPLEEN),
        Layer(Cylinder((5, 98), (17, 15)), Tissue.FAT),
    )


def _vessels_outside(size: Size) -> tuple[Layer, ...]:
    """Aorta and vena cava, beside the liver."""
    if size == "small":
        return Layer(Cylinder((50, 24), (7, 7)), Tissue.ARTERY), Layer(Cylinder((36, 37), (6, 5)), Tissue.VEIN)
    return Layer(Cylinder((18, 72), (11, 11)), Tissue.ARTERY), Layer(Cylinder((-10, 70), (12, 9)), Tissue.VEIN)


def surroundings(size: Size) -> tuple[Layer, ...]:
    """Everything behind the liver."""
    return (_small() if size == "small" else _clinical()) + _vessels_outside(size)


def inside_liver(recipe: PhantomRecipe) -> tuple[Layer, ...]:
    """Everything in the liver, not cut at its surface."""
    ice = recipe.lesion.ice
    layers = [Layer(Grown(ice, recipe.rim), Tissue.RIM), Layer(ice, Tissue.MARGIN)]
    layers += [Layer(tube, Tissue.VEIN) for tube in recipe.others]
    layers += [Layer(recipe.tube, Tissue.VEIN)] if recipe.tube is not None else []
    layers += [Layer(recipe.decoy, recipe.decoy_tissue)] if recipe.decoy is not None else []
    return (*layers, Layer(recipe.lesion.tumor_body, Tissue.TUMOR))


def bodies(recipe: PhantomRecipe) -> Mapping[Kind, Body]:
    """The regions whose masks are the truth; a vessel is its lumen in the liver, without tumor."""
    lesion = recipe.lesion
    tubes = tuple(tube for tube in (recipe.tube, *recipe.others) if tube is not None)
    found: dict[Kind, Body] = {Kind.LIVER: lesion.liver, Kind.ABLATION_ZONE: lesion.zone_body, Kind.TUMOR: lesion.tumor_body}
    if tubes:
        lumen = Difference(Union(tubes), lesion.tumor_body)
        found[Kind.VESSEL] = Intersection((lumen, lesion.liver))
    return found


def paint(recipe: PhantomRecipe, grid: Volume, roles: Sequence[Role]) -> Mapping[Role, Volume]:
    """Images without noise on `grid`: each voxel the mean of what fills it."""
    images = {role: np.zeros(grid.shape, dtype=np.float32) for role in roles}
    for layer in surroundings(recipe.size):
        _cover(images, grid, layer, recipe)
    liver = recipe.lesion.liver
    low, high = index_box(grid, liver.bounds())
    part = grid.crop(low, high)
    place = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    within = {role: np.full(part.shape, signal(Tissue.LIVER, role), dtype=np.float32) for role in roles}
    for layer in inside_liver(recipe):
        _cover(within, part, layer, recipe)
    share = fill(liver, part)
    if isinstance(liver, HalfSpace):
        share = share * fill(surroundings(recipe.size)[1].body, part)
    for role, image in images.items():
        image[place] += share * (within[role] - image[place])
    return {role: grid.with_values(image) for role, image in images.items()}


def _cover(images: Mapping[Role, Array], grid: Volume, layer: Layer, recipe: PhantomRecipe) -> None:
    low, high = index_box(grid, layer.body.bounds())
    if not all(a < b for a, b in zip(low, high, strict=True)):
        return
    share = fill(layer.body, grid.crop(low, high))
    place = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    for role, image in images.items():
        value = signal(layer.tissue, role, recipe.enhancement, haemorrhagic=recipe.haemorrhagic)
        image[place] += share * (np.float32(value) - image[place])
