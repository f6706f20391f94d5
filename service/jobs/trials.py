"""The three tiny phantoms of the start-up self-test: small, exact, and each the one that a class of faults cannot pass.

None is symmetric in any axis, and the narrowest places lie well away from the middle of the grid and from the origin, to
opposite sides: whatever turns, mirrors, scales or reorders the images or the contours moves them by 10 mm and more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from service.jobs.expected import Expected
from service.phantom.bodies import Ball, Capsule, Ellipsoid, Tube
from service.phantom.degrade import Degradations
from service.phantom.dynamics import with_uptake
from service.phantom.faults import Fault
from service.phantom.lesion import Lesion
from service.phantom.patient import PhantomPatient, render
from service.phantom.recipe import PhantomRecipe
from service.phantom.sample import Grid
from service.phantom.story import PROTOCOLS, Story
from service.phantom.vessels import VesselKind
from service.phantom.write import write_study
from service.study.model import Role, Vector

LIVER = Ellipsoid((-6.0, -3.0, 0.0), (54.0, 46.0, 42.0))
GRID = Grid((22, 56, 66), (2.8, 1.5, 1.5), (-5.3, -2.2, 1.1))  # pixels a slice: a multiple of 8, or OHIF shows no contours
T2 = Grid((11, 27, 33), (5.6, 3.0, 3.0))  # never rendered
QUIET = Degradations(snr=40.0)  # clear enough that chance misses nothing
TUMOR, DEPTH, HALF = 6.5, 5.0, 4.0  # mm: radius of the tumor, its distance from the zone's axis, half length of that
LEFT_VESSEL, RIGHT_VESSEL = Tube(((30, -20, -15), (34, 10, 12)), 6.0), Tube(((-40, -10, -12), (-38, 12, 12)), 6.0)
TWO_PHASES = (Role.T1_PRE, Role.PORTAL_VENOUS)
UPTAKE = {Role.ARTERIAL: 0.35, Role.PORTAL_VENOUS: 0.7, Role.DELAYED: 1.1}
DYNAMIC = "T1 VIBE FS DYN"  # tells no phase from another: only time and contrast agent do


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A patient, how it is told and written, and what must come of it. `reversed_files`: the last file arrives first."""

    patient: PhantomPatient
    story: Story
    expected: Expected
    enhanced: bool = False
    reversed_files: bool = False

    def write(self, folder: Path) -> tuple[Path, ...]:
        """The files, in the order in which they arrive; contours are drawn by their maker."""
        paths = write_study(self.patient, folder, enhanced=self.enhanced, seg="fractional", story=self.story)
        return tuple(paths[::-1] if self.reversed_files else paths)


def trials() -> Iterator[Trial]:
    """All three, each made when it is asked for."""
    yield corner()
    yield dynamic()
    yield oblique()


def corner() -> Trial:
    """A margin of 2 mm that is narrowest to the right, front and head; slices are numbered from head to feet."""
    where = _lesion((-24.0, -13.0, 9.0), toward=(-1.0, -1.0, 1.0), along=(2.0, -1.0, 1.0), margin=2.0)
    patient = render(_recipe(1, where, others=(LEFT_VESSEL,), enhancement=0.6), TWO_PHASES)
    story = Story(patient_id="SELF-TEST-1", faults=dict.fromkeys(TWO_PHASES, (Fault.REVERSED,)))
    guards = "orientation, slice order and spacing"
    return Trial(patient, story, Expected("corner", guards, patient.truth, roles_of(TWO_PHASES), {Role.PORTAL_VENOUS: 60.0}))


def dynamic() -> Trial:
    """Four phases that only time and contrast agent tell apart, in which the tumor is ever brighter; a vessel bridges."""
    roles = (Role.T1_PRE, *UPTAKE)
    where = _lesion((-18.0, 6.0, -7.0), toward=(-1.0, 1.0, -1.0), along=(1.0, 2.0, 1.0), margin=2.0)
    bridge = Tube(((-46.0, 6.0, -7.0), (-25.0, 6.0, -7.0)), 6.0)
    recipe = replace(_recipe(2, where, others=(LEFT_VESSEL,), enhancement=0.7), vessel=VesselKind.BRIDGE_STRAIGHT, tube=bridge)
    patient = with_uptake(render(recipe, roles), UPTAKE)
    story = Story(patient_id="SELF-TEST-2", descriptions=dict.fromkeys(roles, DYNAMIC))
    percent = {role: 100.0 * fraction for role, fraction in UPTAKE.items()}
    guards = "order of the phases, alignment and vessels"
    return Trial(patient, story, Expected("dynamic", guards, patient.truth, roles_of(roles), percent), reversed_files=True)


def oblique() -> Trial:
    """A margin of 5.5 mm without vessel or uptake in oblique Enhanced MR objects; narrowest to the left, back and feet."""
    where = _lesion((10.0, 9.0, -9.0), toward=(1.0, 1.0, -1.0), along=(1.0, -2.0, -1.0), margin=5.5)
    patient = render(_recipe(3, where, others=(RIGHT_VESSEL,), enhancement=0.0).tilted(14.0, 9.0), TWO_PHASES)
    expected = Expected(
        "oblique", "oblique slices and multi-frame objects", patient.truth, roles_of(TWO_PHASES), {Role.PORTAL_VENOUS: 0.0}
    )
    return Trial(patient, Story(patient_id="SELF-TEST-3"), expected, enhanced=True)


def roles_of(roles: tuple[Role, ...]) -> Mapping[int, Role]:
    """The role of each series, by its number."""
    return {PROTOCOLS[role].number: role for role in roles}


def _recipe(seed: int, lesion: Lesion, *, others: tuple[Tube, ...], enhancement: float) -> PhantomRecipe:
    return PhantomRecipe(
        seed, "small", lesion, GRID, T2, others=others, enhancement=enhancement, degradations=replace(QUIET, seed=seed)
    )


def _lesion(center: Vector, *, toward: Vector, along: Vector, margin: float) -> Lesion:
    """A ball (`center`, LPS mm) in one capsule whose axis runs `along`, narrowest by `margin` mm in the direction `toward`.

    `along` is perpendicular to `toward`.
    """
    outward, axis = (np.array(way) / np.linalg.norm(way) for way in (toward, along))
    middle = np.array(center) - DEPTH * outward
    start, end = (tuple(middle + sign * HALF * axis) for sign in (-1.0, 1.0))
    return Lesion(LIVER, (Ball(center, TUMOR),), (Capsule(start, end, TUMOR + margin + DEPTH),))
