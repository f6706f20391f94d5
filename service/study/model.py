"""The records of a received study, free of any DICOM library.

`dicom.headers` fills them from data sets; everything behind it reads these names, never tags. Lengths are mm, times ms
where the DICOM attribute is in ms, positions LPS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Vector = tuple[float, float, float]


class Role(StrEnum):
    """What a phase is for. `OTHER` is an image we know of no use for; `UNKNOWN` could not be told."""

    T1_PRE = "t1_pre"
    ARTERIAL = "arterial"
    PORTAL_VENOUS = "portal_venous"
    DELAYED = "delayed"
    HEPATOBILIARY = "hepatobiliary"
    IN_PHASE = "in_phase"
    OPPOSED_PHASE = "opposed_phase"
    T2 = "t2"
    DWI = "dwi"
    ADC = "adc"
    SUBTRACTION = "subtraction"
    LOCALIZER = "localizer"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Patient:
    """Who the study says it is of; used to compare exams, never logged."""

    patient_id: str = ""
    issuer: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One image plane: a classic instance has one, an Enhanced one has many.

    `orientation` is ImageOrientationPatient (row cosines, then column cosines); `spacing` is PixelSpacing (between rows,
    between columns); `offset_s` is the time from the start of the series. `contrast_given` says whether the agent was in;
    `contrast_phase` is the scanner's own word for when ("ARTERIAL", "PORTAL_VENOUS"...). None where the object does not say.
    """

    number: int
    position: Vector | None = None
    orientation: tuple[float, float, float, float, float, float] | None = None
    spacing: tuple[float, float] | None = None
    acquired_at: datetime | None = None
    trigger_time: float | None = None
    temporal_position: int | None = None
    acquisition_number: int | None = None
    echo_time: float | None = None
    inversion_time: float | None = None
    b_value: float | None = None
    image_type: tuple[str, ...] = ()
    stack_id: str = ""
    offset_s: float | None = None
    contrast_given: bool | None = None
    contrast_phase: str = ""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How the image was made, as far as the header tells (PS3.3 C.8.3 and C.8.13)."""

    scanning_sequence: tuple[str, ...] = ()
    sequence_variant: tuple[str, ...] = ()
    scan_options: tuple[str, ...] = ()
    acquisition_type: str = ""  # "2D" or "3D"
    repetition_time: float | None = None
    flip_angle: float | None = None
    echo_train_length: int | None = None
    contrast_agent: str = ""
    contrast_at: datetime | None = None  # start of the injection
    field_strength: float | None = None  # tesla
    manufacturer: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Instance:
    """One SOP instance as received. `content` is the store's key for its bytes (a path for `analyse DIR`)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    content: str
    modality: str = ""
    series_number: int | None = None
    instance_number: int | None = None
    series_description: str = ""
    study_description: str = ""
    protocol_name: str = ""
    body_part: str = ""
    frame_of_reference_uid: str = ""
    device_uid: str = ""
    device_serial: str = ""
    rows: int = 0
    columns: int = 0
    samples: int = 1
    slice_thickness: float | None = None
    study_at: datetime | None = None
    patient: Patient = field(default_factory=Patient)
    acquisition: Acquisition = field(default_factory=Acquisition)
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True)
class Plane:
    """One frame of one instance: what a phase is a list of."""

    instance: Instance
    frame: Frame


@dataclass(frozen=True, slots=True)
class Phase:
    """Planes that belong in one volume: one series, one time point, one echo, one orientation, one kind of value.

    `key` is unique in the study ("<series uid>" or "<series uid>#2"); `apart_by` names what split the series, "" if nothing.
    """

    key: str
    series_instance_uid: str
    planes: tuple[Plane, ...]
    apart_by: str = ""

    @property
    def first(self) -> Instance:
        """The instance whose series-level attributes stand for the phase."""
        return self.planes[0].instance

    @property
    def b_value(self) -> float | None:
        """The diffusion weighting, s/mm²; None when nothing says it."""
        return self.planes[0].frame.b_value


@dataclass(frozen=True, slots=True)
class RoleGuess:
    """A role with the score (0-1) and the reasons that gave it; `told` by a person, who overrules all evidence."""

    role: Role
    score: float
    reasons: tuple[str, ...]
    told: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """One series as received and as understood."""

    series_instance_uid: str
    number: int | None
    description: str
    modality: str
    instances: tuple[Instance, ...]
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True)
class Ignored:
    """An instance that takes no part in the analysis, and why (one sentence)."""

    instance: Instance
    reason: str


@dataclass(frozen=True, slots=True)
class Study:
    """Everything received under one StudyInstanceUID.

    `series` holds MR images only; `drawings` SEG and RTSTRUCT by others; `ignored` all the rest.
    """

    study_instance_uid: str
    patient: Patient
    series: tuple[Series, ...]
    drawings: tuple[Instance, ...] = ()
    ignored: tuple[Ignored, ...] = ()

    @property
    def phases(self) -> tuple[Phase, ...]:
        """All phases of all series, in series order."""
        return tuple(phase for series in self.series for phase in series.phases)
