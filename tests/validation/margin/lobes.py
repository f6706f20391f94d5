"""Whether a lobe that the liver's contour misses is noticed: without it, the missing part would count as outside the liver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

import numpy as np

from service.errors import Unusable
from service.features.case import Case
from service.features.margin import ABOVE_3, THRESHOLD, measure
from service.phantom.bodies import Everywhere
from service.regions.coverage import liver_left_out
from service.regions.margin_surface import margin_surface
from service.regions.region import Region
from service.regions.visibility import Visibility
from service.study.model import Role
from service.volumes.volume import Volume
from tests.validation import evidence
from tests.validation.margin.family import Recipe, Shape, recipe
from tests.validation.margin.render import render
from tests.validation.margin.truth import truth_of

LIVER, ABLATED, TUMORS = 190.0, 74.0, (104.0, 134.0, 234.0)
BESIDE = (25.0, 110.0, 260.0)  # fat without its signal, muscle, spleen
NOISE = (4.0, 16.0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One phantom: whether a lobe is `missing` from the contour, was `noticed`, and "> 3 mm" was `asserted`; `truth` mm."""

    seed: int
    missing: bool
    truth: float
    noticed: bool
    asserted: bool

    @property
    def wrong(self) -> bool:
        """Whether more than 3 mm was asserted of less."""
        return self.asserted and self.truth <= THRESHOLD


def reported(number: int) -> tuple[int, ...]:
    """The first `number` odd seeds of tumors below a capsule."""
    return tuple(islice((seed for seed in count(1, 2) if recipe(seed).shape is Shape.SUBCAPSULAR), number))


def outcome(seed: int) -> Outcome:
    """In every other phantom the capsule is none: liver goes on behind it."""
    rng = np.random.default_rng([seed, 55])
    drawn, missing = _recipe(seed), (seed // 14) % 2 == 0
    scene = replace(drawn.scene, liver=Everywhere()) if missing else drawn.scene
    tumor, zone, _ = render(replace(drawn, scene=scene))
    *_, liver = render(drawn)
    if liver is None:
        raise ValueError(f"phantom {seed} has no capsule")
    image = _image(rng, tumor, zone, None if missing else liver)
    left_out = liver_left_out(liver, zone, image)
    truth = truth_of(scene).minimum
    try:
        surface = margin_surface(tumor, zone, liver, left_out)
    except Unusable:
        return Outcome(seed, missing, truth, left_out is not None, asserted=False)
    seen = Visibility(np.ones(len(surface.points), dtype=bool), {})
    phases = {Role.PORTAL_VENOUS: image}
    case = Case("1", Role.PORTAL_VENOUS, phases, {}, tumor, zone, liver, None, surface=surface, visibility=seen)
    return Outcome(seed, missing, truth, left_out is not None, asserted=measure(case)[0].category == ABOVE_3)


def table(found: Sequence[Outcome]) -> str:
    """The summary as Markdown."""
    rows: list[tuple[object, ...]] = []
    for missing, title in ((True, "liver goes on behind the contour"), (False, "nothing is missing")):
        of = [one for one in found if one.missing is missing]
        noticed, asserted = sum(one.noticed for one in of), sum(one.asserted for one in of)
        rows.append((title, len(of), noticed, asserted, sum(one.wrong for one in of)))
    head = ("contour of the liver", "phantoms", "noticed as incomplete", "> 3 mm asserted", "of these wrongly")
    unnoticed = ", ".join(str(one.seed) for one in found if one.missing and not one.noticed) or "none"
    return f"{evidence.table(head, rows)}\n\nSeeds of missing lobes that were not noticed: {unnoticed}."


def _recipe(seed: int) -> Recipe:
    """Contours without a doubt of their own: what is at stake is the lobe."""
    return replace(recipe(seed), jitter=0.0, slip_sd=0.0, slip=np.zeros(3))


def _image(rng: np.random.Generator, tumor: Region, zone: Region, liver: Region | None) -> Volume:
    """A phase after contrast; all is liver where `liver` is None."""
    inner, outer = tumor.mask.values, np.maximum(zone.mask.values, tumor.mask.values)
    around = LIVER if liver is None else rng.choice(BESIDE) * (1.0 - liver.mask.values) + LIVER * liver.mask.values
    clean = around * (1.0 - outer) + ABLATED * (outer - inner) + rng.choice(TUMORS) * inner
    return tumor.mask.with_values((clean + rng.normal(0.0, rng.uniform(*NOISE), outer.shape)).astype(np.float32))
