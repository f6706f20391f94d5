"""Contours drawn on different images lie as far apart as the patient moved between them, and the margin's interval says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.codes import UNDETERMINED
from service.features.margin import ABOVE_3, AT_MOST_3, THRESHOLD, categorize
from service.features.precision import disagreement, precision
from service.regions.drawn import segment
from service.regions.drawn_on import UNMEASURED, apart, images_of, place_of
from service.regions.margin_surface import MarginSurface, margin_surface
from service.regions.region import DrawnMask, Exam, Images, Kind, Region
from service.study.model import Frame, Instance, Phase, Plane, Role
from tests.shapes import ball, fractions, grid, region

ONTO = grid(22.0)
PORTAL, DELAYED, T2, MANY = "1.1", "1.2", "1.3", "1.4"
MOVED = 3.0  # mm between the portal-venous phase, which is measured, and the delayed one
WIDE, NARROW = 5.0, 8.6  # mm from the middle of the zone to that of the tumor


def image(series: str, number: int) -> tuple[str, int]:
    return f"{series}.{number}", 0


def phase(series: str, uids: list[str], frames: int, suffix: str = "") -> Phase:
    planes = tuple(
        Plane(Instance("1", series, uid, "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.1.2.1", uid), Frame(number))
        for uid in uids
        for number in range(1, frames + 1)
    )
    return Phase(f"{series}{suffix}", series, planes)


PHASES = [phase(series, [f"{series}.{n}" for n in (1, 2, 3)], 1) for series in (PORTAL, DELAYED, T2)]


def drawn(label: str, x: float, radius: float, images: Images, source: str = "9.1") -> DrawnMask:
    return DrawnMask(source, 1, label, (), fractions(ball(radius, (x, 0.0, 0.0)), ONTO), fractional=True, images=images)


def exam(*drawings: DrawnMask) -> Exam:
    """The delayed phase could be compared, T2 could not."""
    offsets = {PORTAL: 0.0, DELAYED: float(np.hypot(MOVED, 0.8))}
    phases = {Role.PORTAL_VENOUS: ONTO}
    return Exam(Role.PORTAL_VENOUS, phases, {}, drawings, images=images_of(PHASES), offsets=offsets)


def on(series: str) -> Images:
    return frozenset({image(series, 1), image(series, 3)})


def regions_of(*drawings: DrawnMask) -> tuple[Region, Region, tuple[str, ...]]:
    found = segment(exam(*drawings))
    return found.tumors[0], found.zones[0], found.notes


@pytest.mark.parametrize(
    ("images", "place"),
    [
        (on(PORTAL), (PORTAL, 0.0)),
        (on(DELAYED), (DELAYED, float(np.hypot(MOVED, 0.8)))),
        (on(T2), (T2, UNMEASURED)),
        (frozenset({(DELAYED, 0)}), (DELAYED, float(np.hypot(MOVED, 0.8)))),  # the series alone is named
        (on(PORTAL) | on(T2), ("segment 1 of 9.1", UNMEASURED)),
        (frozenset({("7.7", 0)}), ("object 9.1", UNMEASURED)),
        (frozenset(), ("object 9.1", UNMEASURED)),
    ],
)
def test_place_of_a_drawing(images: Images, place: tuple[str, float]) -> None:
    assert place_of(drawn("Tumor", 0.0, 5.0, images), exam()) == place


def test_frames_of_one_instance_may_be_of_several_phases() -> None:
    """As in an Enhanced object with all phases of the dynamic series."""
    early, late = phase(MANY, ["1.4.1"], 2, "#1"), phase(MANY, ["1.4.1"], 4, "#2")
    late = replace(late, planes=late.planes[2:])
    known = replace(exam(), images=images_of([early, late]), offsets={f"{MANY}#1": 0.0, f"{MANY}#2": 2.0})
    places = [place_of(drawn("Tumor", 0.0, 5.0, frozenset({("1.4.1", frame)})), known) for frame in (2, 3, 0)]
    assert places == [(f"{MANY}#1", 0.0), (f"{MANY}#2", 2.0), ("segment 1 of 9.1", 2.0)]


def test_contours_of_one_image_are_not_apart() -> None:
    tumor, zone, _ = regions_of(drawn("Tumor", 0.0, 5.0, on(DELAYED)), drawn("Ablation zone", 0.0, 12.0, on(DELAYED), "9.2"))
    assert apart(tumor, zone) == 0.0
    assert apart(tumor, None) == 0.0
    assert apart(tumor, replace(zone, drawn_on="", place_sd=0.0)) == pytest.approx(np.hypot(MOVED, 0.8))


def sure_of(tumor: Region, zone: Region) -> tuple[MarginSurface, tuple[float, float], object]:
    surface = margin_surface(tumor, zone, None)
    sure = precision(surface.minimum, surface, THRESHOLD)
    return surface, (sure.low, sure.high), categorize(sure, entire=True, disagreement=disagreement(surface))[0]


@pytest.mark.parametrize(("x", "answer"), [(WIDE, ABOVE_3), (NARROW, AT_MOST_3)])
@pytest.mark.parametrize("moved", [-MOVED, MOVED])
def test_the_interval_holds_what_moved_between_two_series(x: float, answer: object, moved: float) -> None:
    """The truth is that of one breath-hold: 17 - 6 mm less the distance of the middles. The tumor was drawn on another."""
    truth = 17.0 - 6.0 - x
    zone = drawn("Ablation zone", 0.0, 17.0, on(PORTAL), "9.2")
    _, there, same = sure_of(*regions_of(drawn("Tumor", x, 6.0, on(PORTAL)), zone)[:2])
    tumor, treated, notes = regions_of(drawn("Tumor", x + moved, 6.0, on(DELAYED)), zone)
    surface, here, category = sure_of(tumor, treated)
    assert same == answer
    assert surface.minimum == pytest.approx(truth - moved, abs=0.4)
    assert here[0] <= truth <= here[1]
    assert not there[0] <= truth - moved <= there[1]
    assert category == UNDETERMINED
    assert notes == ("Drawn on another series than is measured: 'Tumor'. How far apart the two may lie: 3.1 mm.",)


def test_a_liver_drawn_on_another_series_makes_the_capsule_doubtful() -> None:
    """A tumor beside a capsule that the zone reaches: where the two contours lie apart is a layer of liver or none."""
    tumor, zone = region(Kind.TUMOR, ball(5.0), ONTO), region(Kind.ABLATION_ZONE, ball(11.0), ONTO)
    liver = region(Kind.LIVER, ball(30.0, (22.0, 0.0, 0.0)), ONTO)
    sure, doubtful = (margin_surface(tumor, zone, replace(liver, drawn_on="1.2", place_sd=sd)) for sd in (0.0, 0.8))
    assert sure.lowest == np.inf
    assert doubtful.lowest < np.inf


def test_where_nothing_could_be_compared_a_doubt_is_assumed_and_said() -> None:
    tumor, zone, notes = regions_of(drawn("Tumor", 0.0, 5.0, on(T2)), drawn("Ablation zone", 0.0, 12.0, on(PORTAL)))
    assert apart(tumor, zone) == UNMEASURED
    assert notes == (
        "Drawn on another series than is measured: 'Tumor'. How far apart the two may lie: unknown, 3 mm are assumed.",
    )
