"""The summary as an image: what viewers need to show it, and what it says of itself."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage, SecondaryCaptureImageStorage

from service.options import AnalysisOptions
from service.report.compose import compose, to_bytes
from service.report.summary.page import page, pixels
from tests.report.conftest import Sample, sample
from tests.report.summary.conftest import draft_of

SUMMARY = AnalysisOptions(outputs=("seg", "summary"))


def summary(given: Sample, who: str = "none") -> Dataset:
    """The summary as it arrives: written to a file and read again."""
    *_, made = compose(given.result, given.sources, replace(SUMMARY, patient_on_page=who))
    assert made.role == "summary"
    return dcmread(BytesIO(to_bytes(made)))


def unlabelled(name: str = "Phantom^One") -> Sample:
    """A result of which no label tells the patient."""
    given = sample(change=lambda image: setattr(image, "PatientName", name))
    tumors = tuple(replace(tumor, tracking_id="Tumor 1") for tumor in given.result.tumors)
    return Sample(replace(given.result, tumors=tumors), given.sources)


def test_one_page_is_a_picture_of_the_class_that_every_viewer_knows(one: Sample) -> None:
    found = summary(one)
    assert found.SOPClassUID == SecondaryCaptureImageStorage
    assert "NumberOfFrames" not in found
    assert (found.pixel_array == pixels(page(draft_of(one), 0))).all()


def test_each_tumor_is_a_frame(two: Sample) -> None:
    found = summary(two)
    assert found.SOPClassUID == MultiFrameTrueColorSecondaryCaptureImageStorage
    assert (found.NumberOfFrames, list(found.PageNumberVector)) == (2, [1, 2])
    assert found.FrameIncrementPointer == 0x00182001
    frames = found.pixel_array
    assert frames.shape == (2, 1024, 1024, 3)
    assert not np.array_equal(*frames)


def test_pixels_need_no_decoder_and_no_window(one: Sample) -> None:
    found = summary(one)
    assert (found.PhotometricInterpretation, found.SamplesPerPixel, found.PlanarConfiguration) == ("RGB", 3, 0)
    assert (found.Rows, found.Columns, found.BitsAllocated, found.BitsStored, found.HighBit) == (1024, 1024, 8, 8, 7)
    assert not found.file_meta.TransferSyntaxUID.is_compressed
    assert found.LossyImageCompression == "00"


def test_it_says_what_it_is(one: Sample) -> None:
    found = summary(one)
    assert (list(found.ImageType), found.ConversionType, found.Modality) == (["DERIVED", "SECONDARY"], "WSD", "OT")
    assert found.BodyPartExamined == "LIVER"
    assert found.DerivationDescription
    assert "research use" in found.SeriesDescription


def test_it_names_the_images_it_rests_on_and_the_contours_it_shows(one: Sample) -> None:
    seg, made = compose(one.result, one.sources, SUMMARY)
    used = [use for use in one.result.phases if use.used]
    expected = [plane.instance.sop_instance_uid for use in used for plane in use.phase.planes]
    assert [item.ReferencedSOPInstanceUID for item in made.dataset.SourceImageSequence] == expected
    (contours,) = made.dataset.ReferencedImageSequence
    assert contours.ReferencedSOPInstanceUID == seg.sop_instance_uid
    (alone,) = compose(one.result, one.sources, AnalysisOptions(outputs=("summary",)))
    assert "ReferencedImageSequence" not in alone.dataset


def test_an_enhanced_image_is_named_once(multiframe: Sample) -> None:
    assert len(summary(multiframe).SourceImageSequence) == 2


@pytest.mark.parametrize(("who", "expected"), [("none", "NO"), ("id", "YES"), ("name", "YES")])
def test_burned_in_identification_is_stated_as_it_is(who: str, expected: str) -> None:
    assert summary(unlabelled("Müller^Jörg"), who).BurnedInAnnotation == expected


def test_a_label_that_tells_the_patient_is_stated_too(one: Sample) -> None:
    """The sample's tumors are labelled with the patient's ID."""
    assert summary(one).BurnedInAnnotation == "YES"


def test_where_nothing_was_found_there_is_a_page_all_the_same(none: Sample) -> None:
    found = summary(none)
    assert found.SOPClassUID == SecondaryCaptureImageStorage
    assert found.pixel_array.max() == 255
