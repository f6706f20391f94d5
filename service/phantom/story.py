"""What the headers of a phantom study tell: who, when, by which protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from service.phantom.faults import Fault
from service.study.model import Role

MANUFACTURER = "Cryomargin Phantom"
DESCRIPTION = "MRI LIVER W WO CONTRAST 24H POST CRYOABLATION"


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a phase is acquired: times in ms, angle in degrees, `seconds` after the first T1 phase."""

    number: int
    description: str
    sequence: str
    variant: str
    acquisition_type: str
    repetition_time: float
    echo_time: float
    flip_angle: float
    echo_train: int
    seconds: int
    contrast: bool


def _t1(number: int, description: str, seconds: int) -> Protocol:
    return Protocol(number, description, "GR", "SP", "3D", 4.2, 1.9, 12.0, 1, seconds, contrast=seconds > 0)


PROTOCOLS: Mapping[Role, Protocol] = {
    Role.T2: Protocol(3, "T2 TSE FS", "SE", "SK", "2D", 3200.0, 90.0, 140.0, 17, -300, contrast=False),
    Role.T1_PRE: _t1(5, "T1 VIBE FS PRE", 0),
    Role.ARTERIAL: _t1(6, "T1 VIBE FS ARTERIAL", 95),
    Role.PORTAL_VENOUS: _t1(7, "T1 VIBE FS PORTAL VENOUS", 135),
    Role.DELAYED: _t1(8, "T1 VIBE FS DELAYED", 290),
}
INJECTED = 70
"""When contrast was given, seconds after the first T1 phase."""


@dataclass(frozen=True, slots=True)
class Story:
    """What a study says beside its images.

    `patient_id` is "PHANTOM-<seed>" when empty, `patient_name` "PHANTOM^SEED <seed>". The first T1 phase begins `hours_later`
    after `procedure_at`. Phases in `drop` are not written, `descriptions` replaces series descriptions, `faults` damages series
    (classic MR only).
    """

    patient_id: str = ""
    patient_name: str = ""
    study_description: str = DESCRIPTION
    procedure_description: str = "CRYOABLATION LIVER"
    procedure_at: datetime = datetime(2024, 3, 11, 9, 40)  # noqa: DTZ001 - DICOM times are local without a zone
    hours_later: float = 24.0
    drop: frozenset[Role] = frozenset()
    descriptions: Mapping[Role, str] = field(default_factory=lambda: MappingProxyType({}))
    faults: Mapping[Role, tuple[Fault, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def begins_at(self) -> datetime:
        """When the first T1 phase is acquired."""
        return self.procedure_at + timedelta(hours=self.hours_later)

    def acquired_at(self, role: Role) -> datetime:
        """When a phase is acquired."""
        return self.begins_at + timedelta(seconds=PROTOCOLS[role].seconds)

    def description_of(self, role: Role) -> str:
        """The series description of a phase."""
        return self.descriptions.get(role, PROTOCOLS[role].description)
