"""Required attributes: Type 1 is there and not empty, Type 2 is there.

The tables hold the mandatory modules of the classes that can be made; attributes that a condition requires are left to the
rules that know the condition. Source: DICOM PS3.3 annex A and C.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydicom.dataset import Dataset

from service.report.rules.subject import Broken, Subject, join, sequence_of

TYPE_1, TYPE_2 = "a required attribute is there and has a value (Type 1)", "a required attribute is there (Type 2)"

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_BASE = ("patient", "general-study", "sop-common")
_IMAGE = (*_BASE, "general-series", "general-image")
_EQUIPMENT = ("general-equipment", "enhanced-general-equipment")

CLASSES: Mapping[str, tuple[str, ...]] = {
    _STORAGE + "66.4": (
        *_IMAGE, *_EQUIPMENT, "segmentation-series", "image-pixel", "segmentation-image",
        "segmentation-multi-frame-functional-groups", "multi-frame-dimension",
    ),
    _STORAGE + "30": (
        *_IMAGE, *_EQUIPMENT, "parametric-map-series", "frame-of-reference", "parametric-map-image",
        "parametric-map-multi-frame-functional-groups", "multi-frame-dimension", "acquisition-context",
    ),
    _STORAGE + "88.33": (*_BASE, "general-equipment", "sr-document-series", "sr-document-general"),
    _STORAGE + "88.34": (*_BASE, "general-equipment", "sr-document-series", "sr-document-general"),
    _STORAGE + "88.59": (*_BASE, "general-equipment", "key-object-document-series", "key-object-document"),
    _STORAGE + "7": (*_IMAGE, "sc-equipment", "image-pixel"),
    _STORAGE + "7.4": (*_IMAGE, "sc-equipment", "image-pixel", "multi-frame", "sc-multi-frame-image"),
    _STORAGE + "104.1": (
        *_BASE, "general-equipment", "sc-equipment", "encapsulated-document-series", "encapsulated-document",
    ),
    _STORAGE + "11.1": (
        *_BASE, "general-series", "general-equipment", "presentation-series", "presentation-state-identification",
        "presentation-state-relationship", "displayed-area",
    ),
}  # fmt: skip

_PIXELS = "SamplesPerPixel PhotometricInterpretation BitsAllocated"
_MORE_PIXELS = "BitsStored HighBit PixelRepresentation"
_CONTENT = "ImageType InstanceNumber ContentLabel"
_LOOKS = "ContentQualification BurnedInAnnotation RecognizableVisualFeatures"
_CONTENT_TIME = "ContentDate ContentTime InstanceNumber"
_SERIES = "Modality SeriesInstanceUID SeriesNumber"

# By module: the attributes of Type 1, then those of Type 2.
MODULES: Mapping[str, tuple[str, str]] = {
    "patient": ("", "PatientName PatientID PatientBirthDate PatientSex"),
    "general-study": ("StudyInstanceUID", "StudyDate StudyTime AccessionNumber ReferringPhysicianName StudyID"),
    "sop-common": ("SOPClassUID SOPInstanceUID", ""),
    "general-series": ("Modality SeriesInstanceUID", "SeriesNumber"),
    "general-image": ("", "InstanceNumber"),
    "general-equipment": ("", "Manufacturer"),
    "enhanced-general-equipment": ("Manufacturer ManufacturerModelName DeviceSerialNumber SoftwareVersions", ""),
    "frame-of-reference": ("FrameOfReferenceUID", "PositionReferenceIndicator"),
    "image-pixel": (f"{_PIXELS} {_MORE_PIXELS} Rows Columns", ""),
    "multi-frame": ("NumberOfFrames FrameIncrementPointer", ""),
    "multi-frame-dimension": ("DimensionOrganizationSequence", ""),
    "acquisition-context": ("", "AcquisitionContextSequence"),
    "segmentation-series": ("Modality SeriesNumber", ""),
    "segmentation-image": (
        f"{_PIXELS} {_MORE_PIXELS} {_CONTENT} LossyImageCompression SegmentationType SegmentSequence",
        "ContentDescription",
    ),
    "segmentation-multi-frame-functional-groups": (f"{_CONTENT_TIME} NumberOfFrames SharedFunctionalGroupsSequence", ""),
    "parametric-map-series": ("Modality SeriesNumber", ""),
    "parametric-map-image": (
        f"{_PIXELS} {_CONTENT} {_LOOKS} LossyImageCompression PresentationLUTShape",
        "ContentDescription",
    ),
    "parametric-map-multi-frame-functional-groups": (f"{_CONTENT_TIME} NumberOfFrames SharedFunctionalGroupsSequence", ""),
    "sr-document-series": (_SERIES, "ReferencedPerformedProcedureStepSequence"),
    "sr-document-general": (f"{_CONTENT_TIME} CompletionFlag VerificationFlag", "PerformedProcedureCodeSequence"),
    "key-object-document-series": (_SERIES, "ReferencedPerformedProcedureStepSequence"),
    "key-object-document": (f"{_CONTENT_TIME} CurrentRequestedProcedureEvidenceSequence", ""),
    "sc-equipment": ("ConversionType", ""),
    "sc-multi-frame-image": ("BurnedInAnnotation", ""),
    "encapsulated-document-series": (_SERIES, ""),
    "encapsulated-document": (
        "InstanceNumber BurnedInAnnotation EncapsulatedDocument MIMETypeOfEncapsulatedDocument",
        "ContentDate AcquisitionDateTime ContentTime ConceptNameCodeSequence DocumentTitle",
    ),
    "presentation-series": ("Modality", ""),
    "presentation-state-identification": (
        "InstanceNumber ContentLabel PresentationCreationDate PresentationCreationTime", "ContentDescription",
    ),
    "presentation-state-relationship": ("ReferencedSeriesSequence", ""),
    "displayed-area": ("DisplayedAreaSelectionSequence", ""),
}  # fmt: skip

_INSTANCE = "ReferencedSOPClassUID ReferencedSOPInstanceUID"
_PROPERTY = "SegmentedPropertyCategoryCodeSequence SegmentedPropertyTypeCodeSequence"
_DOCUMENT = "StudyInstanceUID ReferencedSeriesSequence"

# The same for the items of sequences, wherever these stand.
ITEMS: Mapping[str, tuple[str, str]] = {
    "ReferencedSOPSequence": (_INSTANCE, ""),
    "ReferencedImageSequence": (_INSTANCE, ""),
    "ReferencedInstanceSequence": (_INSTANCE, ""),
    "SourceImageSequence": (_INSTANCE, ""),
    "ReferencedSeriesSequence": ("SeriesInstanceUID", ""),
    "CurrentRequestedProcedureEvidenceSequence": (_DOCUMENT, ""),
    "PertinentOtherEvidenceSequence": (_DOCUMENT, ""),
    "PredecessorDocumentsSequence": (_DOCUMENT, ""),
    "IdenticalDocumentsSequence": (_DOCUMENT, ""),
    "ContentTemplateSequence": ("MappingResource TemplateIdentifier", ""),
    "MeasuredValueSequence": ("MeasurementUnitsCodeSequence NumericValue", ""),
    "CodingSchemeIdentificationSequence": ("CodingSchemeDesignator", ""),
    "SegmentSequence": (
        f"SegmentNumber SegmentLabel SegmentAlgorithmType {_PROPERTY}", "",
    ),
    "SegmentIdentificationSequence": ("ReferencedSegmentNumber", ""),
    "DerivationImageSequence": ("", "SourceImageSequence"),
    "DimensionOrganizationSequence": ("DimensionOrganizationUID", ""),
    "DimensionIndexSequence": ("DimensionIndexPointer DimensionOrganizationUID", ""),
    "RealWorldValueMappingSequence": ("LUTExplanation LUTLabel MeasurementUnitsCodeSequence", ""),
    "PixelValueTransformationSequence": ("RescaleIntercept RescaleSlope RescaleType", ""),
    "ParametricMapFrameTypeSequence": ("FrameType", ""),
    "FrameAnatomySequence": ("FrameLaterality AnatomicRegionSequence", ""),
    "DisplayedAreaSelectionSequence": (
        "DisplayedAreaTopLeftHandCorner DisplayedAreaBottomRightHandCorner PresentationSizeMode", "",
    ),
}  # fmt: skip


def broken(subject: Subject) -> Iterator[Broken]:
    """Attributes that a mandatory module, or the sequence they belong to, requires and that are not there."""
    modules = CLASSES.get(str(subject.dataset.get("SOPClassUID", "")))
    if modules is None:
        yield Broken("the SOP class is one that we know the rules of", "SOPClassUID", "another class")
    for module in modules or ():
        yield from _missing("", subject.dataset, MODULES[module])
    for place, item in subject.parts:
        yield from _missing(place, item, ITEMS.get(sequence_of(place), ("", "")))


def _missing(place: str, item: Dataset, required: tuple[str, str]) -> Iterator[Broken]:
    first, second = (keywords.split() for keywords in required)
    for keyword in first:
        if keyword not in item:
            yield Broken(TYPE_1, join(place, keyword), "absent")
        elif item[keyword].is_empty:
            yield Broken(TYPE_1, join(place, keyword), "empty")
    for keyword in second:
        if keyword not in item:
            yield Broken(TYPE_2, join(place, keyword), "absent")
