"""A phase as classic MR Image Storage: one instance a slice (PS3.3 A.4)."""

from __future__ import annotations

import numpy as np
from pydicom import Dataset
from pydicom.uid import MRImageStorage

from service.phantom.headers import add_contrast, add_pixels, add_series, new_object, orientation, position, stored_values
from service.phantom.patient import PhantomPatient
from service.phantom.story import PROTOCOLS, Story
from service.study.model import Role
from service.volumes.volume import Volume


def classic_series(patient: PhantomPatient, story: Story, role: Role) -> list[Dataset]:
    """The instances of a phase, in order of position."""
    volume = patient.phases[role]
    stored = stored_values(volume)
    return [_slice(patient, story, role, plane, k) for k, plane in enumerate(stored)]


def _slice(patient: PhantomPatient, story: Story, role: Role, plane: np.ndarray, k: int) -> Dataset:
    item = new_object(patient, story, MRImageStorage, "classic", role, k)
    add_series(item, patient, story, role, kind="classic")
    item.InstanceNumber = k + 1
    item.ImageType = ["ORIGINAL", "PRIMARY", "M", "NORM"]
    _add_place(item, patient.phases[role], k)
    _add_sequence(item, role)
    if PROTOCOLS[role].contrast:
        add_contrast(item, story)
    add_pixels(item, plane)
    item.WindowCenter, item.WindowWidth = "1200", "2400"
    return item


def _add_place(item: Dataset, volume: Volume, k: int) -> None:
    between, row, column = volume.spacing
    item.PixelSpacing = [f"{row:.6g}", f"{column:.6g}"]
    item.ImageOrientationPatient = orientation(volume)
    item.ImagePositionPatient = position(volume, k)
    item.SliceThickness = item.SpacingBetweenSlices = f"{between:.6g}"
    item.SliceLocation = f"{float(item.ImagePositionPatient[2]):.4f}"


def _add_sequence(item: Dataset, role: Role) -> None:
    protocol = PROTOCOLS[role]
    item.ScanningSequence = protocol.sequence
    item.SequenceVariant = protocol.variant
    item.ScanOptions = "FS"
    item.SequenceName = "*fl3d1" if protocol.sequence == "GR" else "*tse2d1_17"
    item.MRAcquisitionType = protocol.acquisition_type
    item.RepetitionTime = f"{protocol.repetition_time:g}"
    item.EchoTime = f"{protocol.echo_time:g}"
    item.FlipAngle = f"{protocol.flip_angle:g}"
    item.EchoTrainLength = protocol.echo_train
    item.EchoNumbers = 1
    item.NumberOfAverages = "1"
    item.MagneticFieldStrength = "3"
    item.ImagingFrequency = "123.25"
    item.ImagedNucleus = "1H"
    item.PixelBandwidth = "490"
    item.InPlanePhaseEncodingDirection = "COL"
