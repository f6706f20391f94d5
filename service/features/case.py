"""What the measurements see: one tumor with its zone, the liver, the vessels and the phases, all on one grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.regions.region import Region
from service.study.model import Role
from service.volumes.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One tumor to measure.

    `phases` are registered to the reference phase; `residuals` (mm) say how well. `phase_keys` names the DICOM phase behind
    each role. A region is None when nobody drew it and no method found it; `missing` then says why.
    """

    label: str
    reference: Role
    phases: Mapping[Role, Volume]
    residuals: Mapping[Role, float]
    tumor: Region | None
    zone: Region | None
    liver: Region | None
    vessels: Region | None
    phase_keys: Mapping[Role, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
