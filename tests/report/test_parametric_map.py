"""The map holds the distance in mm where the geometry says so, and no number anywhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from service.regions.margin_surface import distance_to_untreated, margin_surface
from service.regions.region import Kind, Region
from service.report import parametric_map
from service.report.result import Result
from service.volumes.surface import sample as values_at
from service.volumes.volume import Volume
from tests.report.conftest import SHAPE, Sample, affine, ball, region, sample
from tests.report.placed import drafted, placed

INDEX = np.argwhere(np.ones(SHAPE)).astype(np.float64)
CENTER = (5.0, 14.0, 18.0)  # of the zone, whose radius is 12 mm


@pytest.fixture(scope="module")
def given() -> Sample:
    return placed(sample())


@pytest.fixture(scope="module")
def made(given: Sample) -> Dataset:
    found = parametric_map.make(drafted(given))
    assert found is not None
    return found


def mapped(made: Dataset, stack: str = "1") -> Volume:
    """The map as a reader of its positions sees it, real world values."""
    mapping = made.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    frames = np.frombuffer(made.FloatPixelData, "<f4").reshape(made.NumberOfFrames, made.Rows, made.Columns)
    frames = frames * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
    values = np.full(SHAPE, np.nan, np.float32)
    for frame, group in zip(frames, made.PerFrameFunctionalGroupsSequence, strict=True):
        position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        k, j, i = Volume(values, affine()).to_index(position)
        np.testing.assert_allclose([k, j, i], [round(float(k)), 0, 0], atol=1e-6)
        if group.FrameContentSequence[0].StackID == stack:
            values[round(float(k))] = frame
    return Volume(values, affine())


def test_inside_the_zone_it_is_the_distance_to_its_edge(made: Dataset) -> None:
    found = mapped(made)
    away = np.linalg.norm(found.to_mm(INDEX) - found.to_mm(np.array(CENTER)), axis=1).reshape(SHAPE)
    inner = away < 11.0

    assert np.isfinite(found.values[inner]).all()
    assert np.abs(found.values - (12.0 - away))[inner].mean() < 0.15
    np.testing.assert_allclose(found.values[inner], (12.0 - away)[inner], atol=0.6)


def test_on_the_surface_of_the_tumor_it_is_the_margin(given: Sample, made: Dataset) -> None:
    surface = given.result.tumors[0].surface
    assert surface is not None
    found = mapped(made)
    deep = surface.margin > 2.0  # across the edge of the zone a distance bends between voxels of 3 mm

    assert deep.sum() > 100
    np.testing.assert_allclose(values_at(found, surface.points[deep]), surface.margin[deep], atol=0.7)


@pytest.mark.parametrize("liver", [None, region(Kind.LIVER, ball((5, 14, 15), 17.0))])
def test_what_the_map_is_made_of_is_on_the_surface_the_margin_to_the_digit(given: Sample, liver: Region | None) -> None:
    (tumor,) = given.result.tumors
    assert tumor.tumor is not None
    assert tumor.zone is not None
    surface = margin_surface(tumor.tumor, tumor.zone, liver)

    np.testing.assert_array_equal(distance_to_untreated(surface.points, tumor.tumor, tumor.zone, liver), surface.margin)


def test_untreated_liver_is_negative_up_to_ten_millimeters_from_the_tumor(made: Dataset) -> None:
    found = mapped(made)
    tumor = found.to_mm(np.array((5.0, 14.0, 10.0)))
    away = np.linalg.norm(found.to_mm(INDEX) - tumor, axis=1).reshape(SHAPE)
    outside = np.linalg.norm(found.to_mm(INDEX) - found.to_mm(np.array(CENTER)), axis=1) > 13.5
    near = outside.reshape(SHAPE) & (away < 14.0)

    assert near.sum() > 100
    assert (found.values[near] < 0).all()
    assert np.isnan(found.values[outside.reshape(SHAPE) & (away > 18.5)]).all()


def test_outside_the_liver_nothing_is_said(given: Sample) -> None:
    liver = region(Kind.LIVER, ball((5, 14, 14), 18.0))
    found = parametric_map.make(drafted(placed(Sample(replace(given.result, liver=liver), given.sources))))
    assert found is not None
    values = mapped(found)
    middle = values.to_mm(np.array((5.0, 14.0, 14.0)))
    away = np.linalg.norm(values.to_mm(INDEX) - middle, axis=1).reshape(SHAPE)

    assert np.isfinite(values.values).sum() > 500
    assert np.isnan(values.values[away > 20.0]).all()


def test_units_range_and_anatomy_are_stated(made: Dataset) -> None:
    group = made.SharedFunctionalGroupsSequence[0]
    mapping = group.RealWorldValueMappingSequence[0]
    values = np.frombuffer(made.FloatPixelData, "<f4")

    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    assert mapping.DoubleFloatRealWorldValueFirstValueMapped <= np.nanmin(values)
    assert mapping.DoubleFloatRealWorldValueLastValueMapped >= np.nanmax(values)
    assert made.BodyPartExamined == "LIVER"
    assert made.ContentQualification == "RESEARCH"
    assert "research use" in made.ImageComments


def test_each_tumor_has_frames_of_its_own() -> None:
    found = parametric_map.make(drafted(placed(sample(tumors=2))))
    assert found is not None
    names = [group.FrameContentSequence[0].FrameLabel for group in found.PerFrameFunctionalGroupsSequence]

    assert sorted(set(names)) == ["PH-1 tumor 1", "PH-1 tumor 2"]
    assert not np.array_equal(mapped(found, "1").values, mapped(found, "2").values, equal_nan=True)


@pytest.mark.parametrize("tumors", [0, 1])
def test_without_a_measured_margin_there_is_no_map(tumors: int) -> None:
    assert parametric_map.make(drafted(sample(tumors=tumors))) is None


def test_a_tumor_below_the_voxels_of_the_images_is_left_out(given: Sample) -> None:
    (tumor,) = given.result.tumors
    nothing = region(Kind.TUMOR, ball((5, 14, 10), 6.0).with_values(np.zeros(SHAPE, np.float32)))
    result: Result = replace(given.result, tumors=(replace(tumor, tumor=nothing),))

    assert parametric_map.make(drafted(Sample(result, given.sources))) is None
