"""What a header says, as records; together with `frames` the only place that names the tags of images.

Classic and Enhanced MR end in the same `Instance`; the difference ends here.
Source: DICOM PS3.3 C.7.1, C.7.3, C.7.6.16, C.8.3, C.8.13.
"""

from __future__ import annotations

from datetime import datetime

from pydicom.dataset import Dataset

from service.dicom.attributes import date_and_time, integer, item, number, text, texts
from service.dicom.frames import Groups, frame_groups, read_frames
from service.errors import Unusable
from service.study.model import Acquisition, Instance, Patient


def read_instance(dataset: Dataset, content: str) -> Instance:
    """One instance as its header describes it; attributes that cannot be read count as absent.

    Args:
        dataset: The header; pixels are not looked at.
        content: Where the bytes rest, kept as `Instance.content`.

    Raises:
        Unusable: It does not say which study, series or instance it is.
    """
    is_mr = text(dataset, "Modality").upper() == "MR"
    groups = next(iter(frame_groups(dataset)), Groups(Dataset(), Dataset()))
    return Instance(
        study_instance_uid=_uid(dataset, "StudyInstanceUID"),
        series_instance_uid=_uid(dataset, "SeriesInstanceUID"),
        sop_instance_uid=_uid(dataset, "SOPInstanceUID"),
        sop_class_uid=text(dataset, "SOPClassUID") or _meta(dataset, "MediaStorageSOPClassUID"),
        transfer_syntax_uid=_meta(dataset, "TransferSyntaxUID"),
        content=content,
        modality=text(dataset, "Modality").upper(),
        series_number=integer(dataset, "SeriesNumber"),
        instance_number=integer(dataset, "InstanceNumber"),
        series_description=text(dataset, "SeriesDescription"),
        study_description=text(dataset, "StudyDescription"),
        protocol_name=text(dataset, "ProtocolName"),
        body_part=_body_part(dataset, groups),
        frame_of_reference_uid=text(dataset, "FrameOfReferenceUID"),
        device_uid=text(dataset, "DeviceUID"),
        device_serial=text(dataset, "DeviceSerialNumber"),
        rows=integer(dataset, "Rows") or 0,
        columns=integer(dataset, "Columns") or 0,
        samples=integer(dataset, "SamplesPerPixel") or 1,
        slice_thickness=_first(dataset, groups.first("PixelMeasuresSequence"), "SliceThickness"),
        study_at=date_and_time(dataset, [("StudyDate", "StudyTime")]),
        patient=_patient(dataset),
        acquisition=_acquisition(dataset, groups) if is_mr else Acquisition(),
        frames=read_frames(dataset) if is_mr else (),
    )


def _uid(dataset: Dataset, keyword: str) -> str:
    found = text(dataset, keyword)
    if not found:
        raise Unusable("dicom.no_uid", f"The object has no {keyword}, so it has no place in a study; send it again.")
    return found


def _meta(dataset: Dataset, keyword: str) -> str:
    meta = getattr(dataset, "file_meta", None)
    return "" if meta is None else text(meta, keyword)


def _first(dataset: Dataset, group: Dataset, keyword: str) -> float | None:
    """A number of the data set, or else of the functional group."""
    found = number(dataset, keyword)
    return number(group, keyword) if found is None else found


def _patient(dataset: Dataset) -> Patient:
    return Patient(
        patient_id=text(dataset, "PatientID"),
        issuer=text(dataset, "IssuerOfPatientID"),
        birth_date=text(dataset, "PatientBirthDate"),
        sex=text(dataset, "PatientSex"),
    )


def _body_part(dataset: Dataset, groups: Groups) -> str:
    regions = (
        item(dataset, "AnatomicRegionSequence"),
        item(groups.first("FrameAnatomySequence"), "AnatomicRegionSequence"),
    )
    return text(dataset, "BodyPartExamined") or next(
        (found for region in regions if (found := text(region, "CodeMeaning"))), ""
    )


def _acquisition(dataset: Dataset, groups: Groups) -> Acquisition:
    timing = groups.first("MRTimingAndRelatedParametersSequence")
    modifier = groups.first("MRModifierSequence")
    return Acquisition(
        scanning_sequence=texts(dataset, "ScanningSequence") or _sequence_words(dataset, modifier),
        sequence_variant=texts(dataset, "SequenceVariant"),
        scan_options=texts(dataset, "ScanOptions") or _option_words(modifier),
        acquisition_type=text(dataset, "MRAcquisitionType"),
        repetition_time=_first(dataset, timing, "RepetitionTime"),
        flip_angle=_first(dataset, timing, "FlipAngle"),
        echo_train_length=integer(dataset, "EchoTrainLength") or integer(timing, "RFEchoTrainLength"),
        contrast_agent=_contrast_agent(dataset),
        contrast_at=_contrast_start(dataset),
        field_strength=number(dataset, "MagneticFieldStrength"),
        manufacturer=text(dataset, "Manufacturer"),
        model=text(dataset, "ManufacturerModelName"),
    )


def _sequence_words(dataset: Dataset, modifier: Dataset) -> tuple[str, ...]:
    """The ScanningSequence that classic MR would have for what Enhanced MR spells out (PS3.3 C.8.13.4)."""
    pulses = {"SPIN": ("SE",), "GRADIENT": ("GR",), "BOTH": ("SE", "GR")}.get(text(dataset, "EchoPulseSequence"), ())
    planar = ("EP",) if text(dataset, "EchoPlanarPulseSequence") == "YES" else ()
    inversion = ("IR",) if text(modifier, "InversionRecovery") == "YES" else ()
    return pulses + planar + inversion


def _option_words(modifier: Dataset) -> tuple[str, ...]:
    """FS when fat was suppressed."""
    return ("FS",) if text(modifier, "SpectrallySelectedSuppression").startswith("FAT") else ()


def _contrast_start(dataset: Dataset) -> datetime | None:
    """When the injection began."""
    return date_and_time(dataset, [(day, "ContrastBolusStartTime") for day in ("AcquisitionDate", "SeriesDate", "StudyDate")])


def _contrast_agent(dataset: Dataset) -> str:
    """The agent of the exam; whether it was in already is said by the frames, if at all."""
    return text(dataset, "ContrastBolusAgent") or text(item(dataset, "ContrastBolusAgentSequence"), "CodeMeaning")
