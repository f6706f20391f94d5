"""Contours that people drew are recognised by code or word and brought onto the grid of the images."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from service.errors import Unusable
from service.regions.drawn import LABELS, kind_of, segment
from service.regions.region import Drawing, DrawnMask, DrawnPolygons, Exam, Kind
from service.study.model import Role
from service.volumes.volume import Volume
from tests.shapes import ball, fractions, grid


@cache
def drawn(half: float, radius: float = 8.0) -> Volume:
    """A ball in the middle of a grid."""
    return fractions(ball(radius), grid(half))


def mask_of(label: str, *codes: str, onto: Volume | None = None, fractional: bool = True) -> DrawnMask:
    """A ball of 8 mm that somebody drew."""
    return DrawnMask("1.2.3.4", 1, label, codes, drawn(16.0) if onto is None else fractions(ball(8.0), onto), fractional)


def circle(label: str, radius: float, uid: str = "1.2.3") -> DrawnPolygons:
    """The outlines of a ball on the slices of `grid(16)`."""
    turn = np.linspace(0.0, 2.0 * np.pi, 120, endpoint=False)
    polygons = []
    for z in grid(16.0).to_mm(np.array([[k, 0.0, 0.0] for k in range(grid(16.0).shape[0])]))[:, 2]:
        if abs(z) < radius:
            r = np.sqrt(radius**2 - z**2)
            polygons.append(tuple((float(r * np.cos(t)), float(r * np.sin(t)), float(z)) for t in turn))
    return DrawnPolygons("1.2.9", 2, label, (), tuple(polygons), uid)


def exam(*drawings: Drawing, onto: Volume | None = None) -> Exam:
    """An exam of one phase with these drawings."""
    return Exam(Role.PORTAL_VENOUS, {Role.PORTAL_VENOUS: onto or grid(16.0)}, {}, drawings)


@pytest.mark.parametrize(
    ("drawing", "kind"),
    [
        (mask_of("Segment 1", "SCT:108369006", "SCT:10200004"), Kind.TUMOR),  # the liver is only where it is
        (mask_of("Segment 1", "SCT:10200004"), Kind.LIVER),
        (mask_of("Ablation zone", "SCT:6574001"), Kind.ABLATION_ZONE),
        (mask_of("HCC seg 6"), Kind.TUMOR),
        (mask_of("portal VEIN"), Kind.VESSEL),
        (mask_of("Lebermetastase"), None),
        (mask_of("Kidney", "SCT:64033007"), None),
        (replace(mask_of("Tumor"), by_us=True), None),
    ],
)
def test_kind_of_a_drawing(drawing: DrawnMask, kind: Kind | None) -> None:
    assert kind_of(drawing, LABELS) == kind


def test_words_of_the_hospital_go_first() -> None:
    labels = (("lebermetastase", Kind.TUMOR), *LABELS)
    assert kind_of(mask_of("Lebermetastase"), labels) == Kind.TUMOR


def test_mask_on_its_own_grid_lands_where_it_was() -> None:
    """A SEG often holds only the slices that were drawn, on a shifted grid."""
    onto = grid(16.0)
    cut = mask_of("Tumor", onto=onto).mask.crop((2, 5, 4), (9, 24, 25))
    regions = segment(exam(replace(mask_of("Tumor"), mask=cut), onto=onto))
    np.testing.assert_allclose(mask_of("Tumor", onto=onto).mask.values, regions.tumors[0].mask.values, atol=1e-4)
    assert regions.tumors[0].method == "drawn: SEG segment 1 'Tumor'"
    assert regions.tumors[0].origin == "drawn: SEG segment 1 'Tumor' of 1.2.3.4"
    assert not regions.tumors[0].binary
    assert regions.reasons == {
        Kind.LIVER: "Nobody drew the liver.",
        Kind.ABLATION_ZONE: "Nobody drew the ablation zone.",
        Kind.VESSEL: "Nobody drew the vessel.",
        Kind.GALLBLADDER: "Nobody drew the gallbladder.",
    }


def test_whole_voxels_are_said_to_be_whole() -> None:
    assert segment(exam(mask_of("Tumor", fractional=False))).tumors[0].binary


def test_polygons_fill_the_ball_they_outline() -> None:
    regions = segment(exam(circle("Ablation zone", 8.0)))
    mask = regions.zones[0].mask
    truth = fractions(ball(8.0), grid(16.0))
    assert pytest.approx(truth.values.sum(), rel=0.03) == mask.values.sum()
    assert np.abs(mask.values - truth.values).mean() < 0.01


def test_hole_in_a_polygon_stays_open() -> None:
    outer, inner = circle("Tumor", 10.0), circle("Tumor", 4.0)
    both = replace(outer, polygons=(*outer.polygons, *inner.polygons))
    (mask,) = segment(exam(both)).tumors
    middle = tuple(size // 2 for size in mask.mask.shape)
    assert mask.mask.values[middle] < 0.1


@pytest.mark.parametrize(
    "drawing",
    [
        replace(circle("Tumor", 8.0), frame_of_reference_uid="9.9.9"),
        replace(
            mask_of("Tumor"), mask=replace(mask_of("Tumor").mask, affine=mask_of("Tumor").mask.affine + 400.0 * np.eye(4, 4, 3))
        ),
    ],
)
def test_contour_of_another_place_is_refused(drawing: Drawing) -> None:
    with pytest.raises(Unusable) as refusal:
        segment(exam(drawing))
    assert refusal.value.code == "regions.drawn_elsewhere"


def test_nothing_drawn_is_said() -> None:
    with pytest.raises(Unusable) as refusal:
        segment(exam(mask_of("Kidney")))
    assert refusal.value.code == "regions.nothing_drawn"


WIDE = grid(21.0)


def plates(label: str, step: int) -> DrawnMask:
    """A ball of 14 mm drawn on every second or third slice."""
    whole = DrawnMask("1.2.3.4", 1, label, (), drawn(21.0, 14.0), fractional=True)
    values = np.zeros_like(whole.mask.values)
    values[3::step] = whole.mask.values[3::step]
    return replace(whole, mask=whole.mask.with_values(values))


def rings(label: str, step: int) -> DrawnPolygons:
    return replace(circle(label, 8.0), polygons=circle(label, 8.0).polygons[::step])


@pytest.mark.parametrize(
    ("drawing", "radius", "onto"), [(plates("Tumor", 2), 14.0, WIDE), (rings("Tumor", 2), 8.0, grid(16.0))]
)
def test_contour_on_every_second_slice_is_filled_in_and_said_to_be(drawing: Drawing, radius: float, onto: Volume) -> None:
    """Left empty the gaps would be untreated liver inside the zone, or vessels into it."""
    regions = segment(exam(drawing, onto=onto))
    (tumor,) = regions.tumors
    truth = fractions(ball(radius), onto).values
    drawn = np.flatnonzero((tumor.mask.values > 0.5).any(axis=(1, 2)))
    part = slice(drawn[0], drawn[-1] + 1)
    assert float(tumor.mask.values[part].sum()) == pytest.approx(float(truth[part].sum()), rel=0.1)
    assert tumor.edge_sd == pytest.approx(9.0 / (2 * radius), rel=0.2)
    assert "was not drawn on" in regions.notes[0]


@pytest.mark.parametrize("drawing", [plates("Tumor", 3), rings("Liver", 3)])
def test_contour_on_every_third_slice_is_refused(drawing: Drawing) -> None:
    with pytest.raises(Unusable) as refusal:
        segment(exam(drawing, onto=WIDE if isinstance(drawing, DrawnMask) else None))
    assert refusal.value.code == "regions.drawn_slices"


def of(source: str, drawing: DrawnMask, by: tuple[int, int, int] = (0, 0, 0)) -> DrawnMask:
    """The same by another reader, moved by whole voxels."""
    moved = np.roll(drawing.mask.values, by, axis=(0, 1, 2))
    return replace(drawing, source_uid=source, mask=drawing.mask.with_values(moved))


def test_two_readers_of_one_tumor_are_not_two_tumors() -> None:
    """The more complete reading is used; the other one is compared and said."""
    first = [of("1.1", mask_of("Tumor")), of("1.1", mask_of("Ablation zone"))]
    second = [of("1.2", mask_of("Tumor"), (0, 1, 1))]
    for drawings in ([*first, *second], [*second, *first]):
        regions = segment(exam(*drawings))
        assert [region.source_uid for region in (*regions.tumors, *regions.zones)] == ["1.1", "1.1"]
        assert "More than one reader drew the tumor" in regions.notes[0]


def test_of_two_complete_readers_the_latest_object_is_used_whole() -> None:
    both = [of(source, mask_of(label)) for source in ("1.1", "1.2") for label in ("Tumor", "Ablation zone")]
    regions = segment(exam(*both))
    assert [region.source_uid for region in (*regions.tumors, *regions.zones)] == ["1.2", "1.2"]
    assert len(regions.notes) == 2


def test_what_one_reader_alone_drew_is_used_with_the_other_ones_contours() -> None:
    """One object for each structure is how some programs write; a tumor elsewhere is another tumor."""
    wide = grid(30.0)
    here = DrawnMask("1.1", 1, "Tumor", (), fractions(ball(6.0, (-14, 0, 0)), wide), True)
    there = DrawnMask("1.2", 1, "Tumor", (), fractions(ball(6.0, (14, 0, 0)), wide), True)
    zone = DrawnMask("1.3", 1, "Ablation zone", (), fractions(ball(10.0, (14, 0, 0)), wide), True)
    regions = segment(exam(here, there, zone, onto=wide))
    assert (len(regions.tumors), len(regions.zones), regions.notes) == (2, 1, ())


def test_a_tumor_outside_of_liver_and_zone_is_not_measured() -> None:
    wide = grid(48.0)
    liver = DrawnMask("1.1", 1, "Liver", (), fractions(ball(24.0, (-18, 0, 0)), wide), True)
    tumor = DrawnMask("1.1", 2, "Tumor", (), fractions(ball(8.0, (26, 0, 0)), wide), True)
    regions = segment(exam(liver, tumor, onto=wide))
    assert regions.tumors == ()
    assert regions.reasons is not None
    assert "outside of liver and ablation zone" in regions.reasons[Kind.TUMOR]
    inside = replace(tumor, mask=fractions(ball(8.0, (-10, 0, 0)), wide))
    assert segment(exam(liver, inside, onto=wide)).tumors


def test_a_volume_that_cannot_be_is_not_used() -> None:
    """A liver of two milliliters is a label on the wrong contour."""
    regions = segment(exam(mask_of("Liver"), mask_of("Tumor")))
    assert regions.liver is None
    assert regions.reasons is not None
    assert "which is not between 20 and 6000" in regions.reasons[Kind.LIVER]


def test_two_bodies_in_one_contour_are_no_gap() -> None:
    whole = mask_of("Tumor")
    apart = np.zeros(whole.mask.shape, np.float32)
    apart[1:4, 2:6, 2:6] = apart[6:9, 12:16, 12:16] = 1.0
    assert segment(exam(replace(whole, mask=whole.mask.with_values(apart)))).tumors


def test_empty_contour_is_noted_and_the_others_are_used() -> None:
    empty = mask_of("Liver")
    empty = replace(empty, mask=empty.mask.with_values(np.zeros(empty.mask.shape, np.float32)))
    regions = segment(exam(empty, mask_of("Tumor")))
    assert len(regions.tumors) == 1
    assert regions.liver is None
    assert regions.notes == ("The contour 'Liver' is empty.",)
