"""The frames of MR images as records: classic attributes and Enhanced functional groups, told apart only here.

Source: DICOM PS3.3 C.7.6.2, C.7.6.16, C.8.3, C.8.13; private elements as the vendors' conformance statements give them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset

from service.dicom.attributes import date_and_time, integer, item, items, moment, number, numbers, text, texts
from service.study.model import Frame, Vector

_TIMES = (
    ("AcquisitionDate", "AcquisitionTime"),
    ("SeriesDate", "AcquisitionTime"),
    ("StudyDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"),
)
# Classic MR had no attribute for the b-value: Siemens, Philips, GE and United Imaging each made one.
_PRIVATE_B_VALUES = ((0x0019, 0x100C), (0x2001, 0x1003), (0x0043, 0x1039), (0x0065, 0x1009))
_GE_B_VALUE_OFFSET = 1_000_000_000
_GE_IMAGE_KIND = (0x0043, 0x102F)
_PHILIPS_DYNAMIC_BEGIN = (0x2005, 0x10A0)  # seconds; AcquisitionTime is that of the series
_CANON_B_VALUE = re.compile(r"b=(\d+(?:\.\d+)?)\(")  # ImageComments "b=1500(0.445,0.000,0.895)"
_GIVEN = {"YES": True, "NO": False}
_GE_KINDS = {1: "PHASE", 2: "REAL", 3: "IMAGINARY"}


@dataclass(frozen=True, slots=True)
class Groups:
    """The functional groups of one frame: its own, and those that all frames share."""

    own: Dataset
    shared: Dataset

    def first(self, keyword: str) -> Dataset:
        """The item of a functional group; empty when neither says it."""
        return item(self.own, keyword) or item(self.shared, keyword)


def frame_groups(dataset: Dataset) -> tuple[Groups, ...]:
    """The functional groups of every frame in stored order; () for a classic image."""
    shared = item(dataset, "SharedFunctionalGroupsSequence")
    return tuple(Groups(own, shared) for own in items(dataset, "PerFrameFunctionalGroupsSequence"))


def read_frames(dataset: Dataset) -> tuple[Frame, ...]:
    """The frames of an MR image in stored order, numbered from 1."""
    groups = frame_groups(dataset)
    if not groups:
        return (_classic(dataset),)
    return tuple(_enhanced(dataset, group, count) for count, group in enumerate(groups, start=1))


def _classic(dataset: Dataset) -> Frame:
    return Frame(
        number=1,
        position=vector(dataset, "ImagePositionPatient"),
        orientation=directions(dataset),
        spacing=pixel_spacing(dataset),
        acquired_at=moment(text(dataset, "AcquisitionDateTime")) or date_and_time(dataset, _TIMES),
        trigger_time=number(dataset, "TriggerTime"),
        temporal_position=integer(dataset, "TemporalPositionIdentifier"),
        acquisition_number=integer(dataset, "AcquisitionNumber"),
        echo_time=number(dataset, "EchoTime"),
        inversion_time=number(dataset, "InversionTime"),
        b_value=_classic_b_value(dataset),
        image_type=_words(texts(dataset, "ImageType"), text(dataset, "ComplexImageComponent"), _ge_kind(dataset)),
        stack_id=text(dataset, "StackID"),
        offset_s=number(dataset, _PHILIPS_DYNAMIC_BEGIN),
    )


def _enhanced(dataset: Dataset, groups: Groups, count: int) -> Frame:
    content, timing = groups.first("FrameContentSequence"), groups.first("TemporalPositionSequence")
    usage = groups.first("ContrastBolusUsageSequence")
    cardiac = groups.first("CardiacSynchronizationSequence")
    measures = groups.first("PixelMeasuresSequence")
    return Frame(
        number=count,
        position=vector(groups.first("PlanePositionSequence"), "ImagePositionPatient"),
        orientation=directions(groups.first("PlaneOrientationSequence")),
        spacing=pixel_spacing(measures),
        acquired_at=_enhanced_time(dataset, content),
        trigger_time=number(cardiac, "NominalCardiacTriggerDelayTime"),
        temporal_position=integer(content, "TemporalPositionIndex") or integer(timing, "TemporalPositionIndex"),
        acquisition_number=integer(content, "FrameAcquisitionNumber") or integer(dataset, "AcquisitionNumber"),
        echo_time=number(groups.first("MREchoSequence"), "EffectiveEchoTime"),
        inversion_time=number(groups.first("MRModifierSequence"), "InversionTimes"),
        b_value=_enhanced_b_value(groups.first("MRDiffusionSequence")),
        image_type=_frame_type(dataset, groups.first("MRImageFrameTypeSequence")),
        stack_id=text(content, "StackID"),
        offset_s=number(timing, "TemporalPositionTimeOffset"),
        contrast_given=_GIVEN.get(text(usage, "ContrastBolusAgentAdministered").upper()),
        contrast_phase=text(usage, "ContrastBolusAgentPhase").upper(),
    )


def _enhanced_time(dataset: Dataset, content: Dataset) -> datetime | None:
    spoken = (
        text(content, "FrameAcquisitionDateTime"),
        text(content, "FrameReferenceDateTime"),
        text(dataset, "AcquisitionDateTime"),
    )
    return next((found for value in spoken if (found := moment(value))), None) or date_and_time(dataset, _TIMES)


def _frame_type(dataset: Dataset, frame_type: Dataset) -> tuple[str, ...]:
    contrast = text(frame_type, "AcquisitionContrast")
    words = texts(frame_type, "FrameType") or texts(dataset, "ImageType")
    return _words(words, text(frame_type, "ComplexImageComponent"), "" if contrast == "UNKNOWN" else contrast)


def _words(kind: tuple[str, ...], *more: str) -> tuple[str, ...]:
    """Upper-case words of an image type, followed by those of `more` that it does not hold yet."""
    words = [word.upper() for word in kind]
    words += [word.upper() for word in more if word and word.upper() not in words]
    return tuple(words)


def _ge_kind(dataset: Dataset) -> str:
    if not text(dataset, "Manufacturer").upper().startswith("GE"):
        return ""
    return _GE_KINDS.get(integer(dataset, _GE_IMAGE_KIND) or 0, "")


def _classic_b_value(dataset: Dataset) -> float | None:
    """The b-value in s/mm²; GE adds 10⁹ to it."""
    keys = ("DiffusionBValue", *_PRIVATE_B_VALUES)
    found = next((value for key in keys if (value := number(dataset, key)) is not None), None)
    return _canon_b_value(dataset) if found is None else found % _GE_B_VALUE_OFFSET


def _canon_b_value(dataset: Dataset) -> float | None:
    comment = _CANON_B_VALUE.match(text(dataset, "ImageComments"))
    return None if comment is None else float(comment.group(1))


def _enhanced_b_value(diffusion: Dataset) -> float | None:
    found = number(diffusion, "DiffusionBValue")
    return 0.0 if found is None and text(diffusion, "DiffusionDirectionality") == "NONE" else found


def vector(dataset: Dataset, keyword: str) -> Vector | None:
    """Three numbers, for example a position in LPS mm."""
    found = numbers(dataset, keyword, 3)
    return None if found is None else (found[0], found[1], found[2])


def directions(dataset: Dataset) -> tuple[float, float, float, float, float, float] | None:
    """ImageOrientationPatient: the cosines of the rows, then of the columns."""
    found = numbers(dataset, "ImageOrientationPatient", 6)
    return None if found is None else (found[0], found[1], found[2], found[3], found[4], found[5])


def pixel_spacing(dataset: Dataset) -> tuple[float, float] | None:
    """PixelSpacing, mm: between rows, between columns; None unless both are positive."""
    found = numbers(dataset, "PixelSpacing", 2)
    return None if found is None or min(found) <= 0 else (found[0], found[1])
