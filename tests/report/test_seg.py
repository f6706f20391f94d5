"""The segmentation lies where the masks lay, read back by a library that did not write it."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from itertools import combinations

import highdicom
import numpy as np
import pytest
from highdicom.color import CIELabColor
from pydicom.dataset import Dataset

from service.errors import Unusable
from service.regions.region import Kind
from service.report.compose import compose, to_bytes
from service.report.segments import LOOKS, Part, Segment, plan
from service.study.model import Frame
from service.volumes.volume import Volume
from tests.report.color_vision import EYES, apart
from tests.report.conftest import MEASUREMENTS, SHAPE, Sample, affine, ball, region, sample, without_regions
from tests.report.measured import measured


def written(given: Sample) -> highdicom.seg.Segmentation:
    data = to_bytes(compose(given.result, given.sources, MEASUREMENTS)[0])
    return highdicom.seg.segread(BytesIO(data))


def centroid(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    index = np.argwhere(values).mean(axis=0)
    return np.asarray(matrix[:3, :3] @ index + matrix[:3, 3])


def read_back(given: Sample) -> dict[str, np.ndarray]:
    """The centroid (LPS mm) of each segment by label, from the file alone."""
    seg = written(given)
    volume = seg.get_volume(combine_segments=False)
    return {
        seg.get_segment_description(number).segment_label: centroid(volume.array[..., number - 1], volume.affine)
        for number in seg.segment_numbers
    }


def moved(given: Sample, change: dict[str, Volume]) -> Sample:
    """The same result with other masks for the first tumor, by the name of its region."""
    first = given.result.tumors[0]
    regions = {name: region(Kind(kind), volume) for name, kind, volume in _named(change)}
    return Sample(replace(given.result, tumors=(replace(first, **regions),)), given.sources)  # type: ignore[arg-type]


def _named(change: dict[str, Volume]) -> list[tuple[str, str, Volume]]:
    kinds = {"tumor": "tumor", "zone": "ablation_zone"}
    return [(name, kinds[name], volume) for name, volume in change.items()]


@pytest.mark.parametrize("kind", ["one", "multiframe", "two", "bands"])
def test_every_segment_is_where_its_mask_was(kind: str, request: pytest.FixtureRequest) -> None:
    given: Sample = measured(tumors=2) if kind == "bands" else request.getfixturevalue(kind)
    expected = {s.label: centroid(s.mask, affine()) for s in plan(given.result).all}

    found = read_back(given)

    assert set(expected) == set(found)
    for label, place in expected.items():
        assert np.linalg.norm(found[label] - place) < 0.01, label


def test_the_masks_come_back_voxel_by_voxel(one: Sample) -> None:
    volume = written(one).get_volume(combine_segments=False)
    to_ours = np.linalg.inv(affine()) @ volume.affine

    for segment in plan(one.result).all:
        found = np.argwhere(volume.array[..., segment.number - 1])
        index = np.round(found @ to_ours[:3, :3].T + to_ours[:3, 3]).astype(int)
        assert {tuple(voxel) for voxel in np.argwhere(segment.mask)} == {tuple(voxel) for voxel in index}


def test_the_part_outside_the_zone_is_the_tumor_without_the_zone(one: Sample) -> None:
    tumor, zone, outside = (segment.mask for segment in plan(one.result).all[:3])

    assert outside.any()
    assert np.array_equal(outside, tumor & ~zone)


def test_a_tumor_inside_its_zone_has_no_segment_outside() -> None:
    inside = moved(sample(), {"tumor": ball((5, 14, 18), 5.0)})

    assert [segment.part for segment in plan(inside.result).all] == [Part.TUMOR, Part.ZONE, Part.VESSEL]


def test_two_tumors_that_share_a_zone_have_it_once(two: Sample) -> None:
    segments = plan(two.result)

    assert [segment.part for segment in segments.all] == [
        Part.TUMOR,
        Part.ZONE,
        Part.OUTSIDE,
        Part.TUMOR,
        Part.OUTSIDE,
        Part.VESSEL,
    ]
    assert [segment.number for segment in segments.all] == [1, 2, 3, 4, 5, 6]
    assert [found.number for found in map(segments.of, (0, 1)) if found is not None] == [1, 4]


def test_a_region_without_a_voxel_has_no_segment(one: Sample) -> None:
    empty = moved(one, {"tumor": ball((5, 14, 18), -9.0)})

    assert Part.TUMOR not in [segment.part for segment in plan(empty.result).all]
    stands = plan(empty.result).of(0)
    assert stands is not None
    assert (stands.part, stands.number) == (Part.ZONE, 1)


def plan_of(given: Sample, part: Part) -> Segment:
    return next(segment for segment in plan(given.result).all if segment.part is part)


def test_a_mask_on_a_cropped_grid_is_laid_where_it_belongs(one: Sample) -> None:
    whole = ball((5, 14, 18), 6.0)
    cropped = moved(one, {"tumor": whole.crop((2, 6, 9), (9, 23, 29))})

    assert np.array_equal(whole.values >= 0.5, plan_of(cropped, Part.TUMOR).mask)


def test_a_mask_whose_slices_run_the_other_way_is_laid_where_it_belongs(one: Sample) -> None:
    whole = ball((3, 10, 18), 6.0)
    matrix = affine()
    matrix[:3, 3] += matrix[:3, 0] * (SHAPE[0] - 1)
    matrix[:3, 0] *= -1
    turned = moved(one, {"tumor": Volume(whole.values[::-1].copy(), matrix)})

    assert np.array_equal(whole.values >= 0.5, plan_of(turned, Part.TUMOR).mask)


def test_a_mask_on_a_finer_grid_keeps_its_centre(one: Sample) -> None:
    matrix = affine()
    matrix[:3, 1] /= 2
    matrix[:3, 2] /= 2
    matrix[:3, 3] -= (matrix[:3, 1] + matrix[:3, 2]) / 2
    finer = Volume(np.repeat(np.repeat(ball((5, 7, 9), 8.0).values, 2, axis=1), 2, axis=2), matrix)
    coarse = plan_of(moved(one, {"tumor": finer}), Part.TUMOR).mask

    assert np.linalg.norm(centroid(coarse, affine()) - centroid(finer.values >= 0.5, matrix)) < 0.1


def test_a_mask_beside_the_images_is_laid_nowhere(one: Sample) -> None:
    matrix = affine()
    matrix[:3, 3] += matrix[:3, 0] * 50
    far = Volume(ball((5, 14, 18), 6.0).values, matrix)

    assert Part.TUMOR not in [segment.part for segment in plan(moved(one, {"tumor": far}).result).all]


def test_a_mask_that_is_empty_on_its_own_grid_is_laid_nowhere(one: Sample) -> None:
    empty = ball((5, 14, 18), -9.0).crop((2, 2, 2), (6, 20, 20))

    assert Part.TUMOR not in [segment.part for segment in plan(moved(one, {"tumor": empty}).result).all]


def test_a_zone_alone_stands_for_its_tumor(one: Sample) -> None:
    """A tumor that nobody drew still has findings, all with their reason; they need a place in the report."""
    alone = replace(one.result, tumors=(replace(one.result.tumors[0], tumor=None),))
    segment = plan(alone).of(0)

    assert segment is not None
    assert segment.part is Part.ZONE


def test_a_tumor_alone_has_its_segment(one: Sample) -> None:
    alone = replace(one.result, tumors=(replace(one.result.tumors[0], zone=None),), vessels=None)

    assert [segment.part for segment in plan(alone).all] == [Part.TUMOR]


def test_each_frame_names_the_image_that_it_lies_on(one: Sample) -> None:
    dataset = compose(one.result, one.sources, MEASUREMENTS)[0].dataset
    positions = {image.SOPInstanceUID: list(image.ImagePositionPatient) for image in one.sources}

    for frame in dataset.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        here = frame.PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(positions[source.ReferencedSOPInstanceUID], here, atol=1e-6)
        assert "ReferencedFrameNumber" not in source


def test_each_frame_of_an_enhanced_source_names_its_frame(multiframe: Sample) -> None:
    dataset = compose(multiframe.result, multiframe.sources, MEASUREMENTS)[0].dataset
    planes = multiframe.result.reference.phase.planes
    positions = {plane.frame.number: plane.frame.position for plane in planes}

    for frame in dataset.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        here = frame.PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(positions[source.ReferencedFrameNumber] or (), here, atol=1e-6)
    assert len(dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == 1


def test_segments_are_coded_tracked_and_coloured(one: Sample) -> None:
    seg = written(one)
    tumor, zone, outside, vessel = (seg.get_segment_description(number) for number in (1, 2, 3, 4))

    assert (tumor.segmented_property_type.value, tumor.tracking_uid) == ("108369006", "2.25.1000")
    assert [zone.segmented_property_type.scheme_designator, vessel.segmented_property_type.value] == [
        "99CRYOMARGIN",
        "59820001",
    ]
    assert len({segment.tracking_uid for segment in (tumor, zone, outside, vessel)}) == 4
    assert (tumor.algorithm_type.value, zone.algorithm_type.value) == ("SEMIAUTOMATIC", "AUTOMATIC")
    assert tumor.SegmentDescription == "drawn: SEG segment 1 'Tumor'"


@pytest.mark.parametrize("eyes", EYES)
def test_any_two_colours_can_be_told_apart_by_every_eye(eyes: str) -> None:
    colors = {part: look.color for part, look in LOOKS.items()}
    near = {(a, b): apart(colors[a], colors[b], eyes) for a, b in combinations(colors, 2)}

    assert len(near) == 36
    assert min(near.values()) > 15, min(near, key=lambda pair: near[pair])


def test_the_margin_rises_in_lightness_so_that_its_order_is_seen() -> None:
    bands = [LOOKS[part].color[0] * 100 / 65535 for part in (Part.MARGIN_0, Part.MARGIN_3, Part.MARGIN_5, Part.MARGIN_10)]

    assert np.diff(bands).min() > 5
    assert bands[0] > 25, "darker would be lost on dark images"


def test_the_colours_of_the_contours_are_the_ones_that_every_eye_can_tell_apart() -> None:
    """Okabe and Ito's palette as sRGB, converted by another library."""
    palette = {
        Part.TUMOR: (213, 94, 0),
        Part.ZONE: (86, 180, 233),
        Part.OUTSIDE: (240, 228, 66),
        Part.VESSEL: (0, 114, 178),
    }

    assert {part: CIELabColor.from_rgb(*rgb).value for part, rgb in palette.items()} == {
        part: LOOKS[part].color for part in palette
    }


def test_without_any_region_there_is_no_segmentation(one: Sample, none: Sample) -> None:
    assert [made.role for made in compose(none.result, none.sources, MEASUREMENTS)] == ["sr"]
    bare = without_regions(one)
    assert [made.role for made in compose(bare.result, bare.sources, MEASUREMENTS)] == ["sr"]


def test_a_reference_without_geometry_is_refused(one: Sample) -> None:
    def lost(frame: Frame) -> Sample:
        phase = one.result.reference.phase
        planes = tuple(replace(plane, frame=frame) for plane in phase.planes)
        return Sample(replace(one.result, reference=replace(one.result.reference, phase=replace(phase, planes=planes))), ())

    whole = one.result.reference.phase.planes[0].frame
    for frame in (replace(whole, position=None), replace(whole, orientation=None), replace(whole, spacing=None)):
        with pytest.raises(Unusable, match=r"report\.geometry"):
            plan(lost(frame).result)


def test_an_image_without_frame_of_reference_gives_the_segmentation_one_of_its_own(one: Sample) -> None:
    planes = tuple(
        replace(plane, instance=replace(plane.instance, frame_of_reference_uid=""))
        for plane in one.result.reference.phase.planes
    )
    reference = replace(one.result.reference, phase=replace(one.result.reference.phase, planes=planes))
    dataset: Dataset = compose(replace(one.result, reference=reference), one.sources, MEASUREMENTS)[0].dataset

    assert dataset.FrameOfReferenceUID.startswith("2.25.")


def test_a_single_slice_takes_its_thickness_as_spacing(one: Sample) -> None:
    phase = one.result.reference.phase
    middle = next(plane for plane in phase.planes if plane.instance.instance_number == SHAPE[0] - 5)
    reference = replace(one.result.reference, phase=replace(phase, planes=(middle,)))
    dataset = compose(replace(one.result, reference=reference), one.sources, MEASUREMENTS)[0].dataset

    assert dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices == 3
    assert dataset.NumberOfFrames == 4
