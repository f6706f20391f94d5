"""The phantom patient of the demonstration: every main question has a certain answer."""

from __future__ import annotations

from dataclasses import replace

from service.phantom.degrade import TYPICAL
from service.phantom.patient import PhantomPatient, render
from service.phantom.recipe import Size, Wish, random_recipe
from service.phantom.vessels import VesselKind

SEED = 4
MARGIN = 2.2  # mm: below 3 with room for error, and above two voxels so that the vessel can be followed


def example_patient(size: Size = "small") -> PhantomPatient:
    """A tumor that enhances in a zone that covers it by 2.2 mm, and a 6 mm vessel that bridges the margin."""
    wish = Wish(
        size=size,
        vessel=VesselKind.BRIDGE_STRAIGHT,
        margin=MARGIN,
        tumor_radius=8.0,
        diameter=6.0,
        enhancement=0.6,
    )
    recipe = random_recipe(SEED, None, wish)
    return render(replace(recipe, degradations=replace(TYPICAL, seed=SEED)))
