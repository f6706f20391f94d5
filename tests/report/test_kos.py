"""The key images are the slices where something was found, and no others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from service.report import kos
from tests.report.conftest import SHAPE, STUDY, Sample, enhanced, sample, without_regions
from tests.report.placed import drafted, placed, position


def made(given: Sample) -> Dataset:
    found = kos.make(drafted(given))
    assert found is not None
    return found


def images(document: Dataset) -> list[Dataset]:
    return [item.ReferencedSOPSequence[0] for item in document.ContentSequence if item.ValueType == "IMAGE"]


def uid_of(k: int) -> str:
    """The image of plane k of the reference phase; they are stored in reversed order."""
    return f"{STUDY}.5.{SHAPE[0] - k}"


def test_the_slice_of_the_narrowest_place_is_chosen() -> None:
    given = placed(sample())
    place = next(one.place for one in given.result.tumors[0].findings if one.place)

    (image,) = images(made(given))

    k = min(range(SHAPE[0]), key=lambda k: sum((a - b) ** 2 for a, b in zip(position((k, 14, 10)), place, strict=True)))
    assert image.ReferencedSOPInstanceUID == uid_of(k)


def test_a_vessel_adds_each_slice_it_runs_through_once() -> None:
    path = tuple(position((k, 14, 20)) for k in (1.8, 2.1, 3.2))

    found = [image.ReferencedSOPInstanceUID for image in images(made(placed(sample(), path)))]

    assert len(found) == len(set(found)) == 3
    assert {uid_of(2), uid_of(3)} < set(found)


def test_evidence_holds_what_is_shown_and_nothing_else() -> None:
    document = made(placed(sample(tumors=2), (position((2, 14, 20)),)))
    (study,) = document.CurrentRequestedProcedureEvidenceSequence
    listed = {
        item.ReferencedSOPInstanceUID for series in study.ReferencedSeriesSequence for item in series.ReferencedSOPSequence
    }

    assert study.StudyInstanceUID == STUDY == document.StudyInstanceUID
    assert listed == {image.ReferencedSOPInstanceUID for image in images(document)}


def test_title_and_description_say_what_it_is() -> None:
    document = made(placed(sample()))
    texts = {item.ConceptNameCodeSequence[0].CodeValue: item.get("TextValue") for item in document.ContentSequence}

    assert document.ConceptNameCodeSequence[0].CodeMeaning == "Of Interest"
    assert document.ContentTemplateSequence[0].TemplateIdentifier == "2010"
    assert "minimum ablation margin: -" in str(texts["113012"])
    assert "For research use" in str(texts["113012"])


def test_of_an_object_with_many_frames_the_frame_is_named() -> None:
    (image,) = images(made(placed(sample(make=enhanced))))

    assert image.ReferencedSOPClassUID == EnhancedMRImageStorage
    assert 1 <= image.ReferencedFrameNumber <= SHAPE[0]


@pytest.mark.parametrize("change", [lambda given: given, lambda given: without_regions(placed(given))])
def test_without_a_place_there_are_no_key_images(change: Callable[[Sample], Sample]) -> None:
    assert kos.make(drafted(change(sample(tumors=0)))) is None
