"""The parts of a header that all objects of a phantom study share (PS3.3 C.7)."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from service.phantom.patient import PhantomPatient
from service.phantom.story import INJECTED, MANUFACTURER, PROTOCOLS, Story
from service.phantom.uids import derive_uid
from service.study.model import Role
from service.volumes.volume import Volume

STORED_PER_UNIT = 10
"""Stored values for each unit of signal (liver before contrast = 100): 0.1 % of liver, and vessels stay below 12 bits."""


def new_object(patient: PhantomPatient, story: Story, sop_class: UID, *words: object) -> Dataset:
    """A data set with patient, study, equipment and SOP common; `words` say which object it is."""
    item = Dataset()
    item.file_meta = FileMetaDataset()
    item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    item.SpecificCharacterSet = "ISO_IR 192"
    item.SOPClassUID = sop_class
    item.SOPInstanceUID = derive_uid(patient.recipe, _patient_id(patient, story), *words)
    _add_patient(item, patient, story)
    _add_study(item, patient, story)
    item.Manufacturer = MANUFACTURER
    item.InstitutionName = "Phantom Hospital"
    item.StationName = "MR1"
    item.ManufacturerModelName = "Phantom MR 3T"
    item.DeviceSerialNumber = "PH-0001"
    item.SoftwareVersions = "1"
    return item


def add_series(item: Dataset, patient: PhantomPatient, story: Story, role: Role, *, kind: str) -> None:
    """The MR series of a phase; `kind` keeps classic and enhanced series apart."""
    protocol = PROTOCOLS[role]
    when = story.acquired_at(role)
    item.Modality = "MR"
    item.SeriesInstanceUID = derive_uid(patient.recipe, _patient_id(patient, story), kind, role, "series")
    item.SeriesNumber = protocol.number
    item.SeriesDescription = story.description_of(role)
    item.ProtocolName = story.description_of(role)
    item.BodyPartExamined = "LIVER"
    item.PatientPosition = "HFS"
    item.SeriesDate, item.SeriesTime = date_and_time(when)
    item.AcquisitionDate, item.AcquisitionTime = date_and_time(when)
    item.ContentDate, item.ContentTime = date_and_time(when)
    item.AcquisitionNumber = 1
    item.FrameOfReferenceUID = derive_uid(patient.recipe, "frame of reference")
    item.PositionReferenceIndicator = ""


def add_contrast(item: Dataset, story: Story) -> None:
    """What was injected, and when."""
    item.ContrastBolusAgent = "GADOBUTROL"
    item.ContrastBolusRoute = "IV"
    item.ContrastBolusVolume = "7.5"
    item.ContrastBolusStartTime = date_and_time(story.begins_at)[1][:4] + f"{INJECTED % 60:02d}"


def add_pixels(item: Dataset, stored: np.ndarray) -> None:
    """16-bit pixels (frames, rows, columns) or (rows, columns)."""
    item.SamplesPerPixel = 1
    item.PhotometricInterpretation = "MONOCHROME2"
    item.Rows, item.Columns = stored.shape[-2:]
    item.BitsAllocated = item.BitsStored = 16
    item.HighBit = 15
    item.PixelRepresentation = 0
    item.PixelData = stored.astype("<u2").tobytes()


def stored_values(volume: Volume) -> np.ndarray:
    """Pixel values (k, j, i) as written, 16 bit."""
    return np.clip(np.rint(volume.values * STORED_PER_UNIT), 0, 65535).astype(np.uint16)


def orientation(volume: Volume) -> list[str]:
    """ImageOrientationPatient: direction along a row (i), then down a column (j)."""
    direction = volume.affine[:3, :3] / np.array(volume.spacing)
    return [f"{value + 0.0:.10g}" for value in (*direction[:, 2], *direction[:, 1])]


def position(volume: Volume, k: int) -> list[str]:
    """ImagePositionPatient of slice k."""
    return [f"{value + 0.0:.6f}" for value in volume.to_mm(np.array([k, 0.0, 0.0]))]


def date_and_time(when: datetime) -> tuple[str, str]:
    """DA and TM of a time."""
    return when.strftime("%Y%m%d"), when.strftime("%H%M%S")


def _patient_id(patient: PhantomPatient, story: Story) -> str:
    return story.patient_id or f"PHANTOM-{patient.recipe.seed}"


def _add_patient(item: Dataset, patient: PhantomPatient, story: Story) -> None:
    item.PatientName = story.patient_name or f"PHANTOM^SEED {patient.recipe.seed}"
    item.PatientID = _patient_id(patient, story)
    item.IssuerOfPatientID = "PHANTOM HOSPITAL"
    item.PatientBirthDate = "19600101"
    item.PatientSex = "O"
    item.PatientAge = "064Y"
    item.PatientWeight = "75"
    when = story.procedure_at.strftime("%Y-%m-%d %H:%M")
    item.AdditionalPatientHistory = f"{story.procedure_description} {when}" if story.procedure_description else ""


def _add_study(item: Dataset, patient: PhantomPatient, story: Story) -> None:
    item.StudyInstanceUID = derive_uid(patient.recipe, _patient_id(patient, story), "study", story.procedure_at.isoformat())
    item.StudyDate, item.StudyTime = date_and_time(story.acquired_at(Role.T2))
    item.StudyDescription = story.study_description
    item.StudyID = "1"
    item.AccessionNumber = f"PH{patient.recipe.seed % 10**10}"
    item.ReferringPhysicianName = ""
