"""A region and what segmenters work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from service.study.model import Role, Vector
from service.volumes.volume import Index, Volume

Images = frozenset[tuple[str, int]]
"""SOP Instance UIDs (or, where no instance is named, Series Instance UIDs), each with a frame number; 0 is all frames."""

DIFFUSION = frozenset({Role.DWI, Role.ADC})  # for the tumor's own signal; too coarse for any contour or edge


class Kind(StrEnum):
    """What a region is of."""

    LIVER = "liver"
    ABLATION_ZONE = "ablation_zone"
    TUMOR = "tumor"
    VESSEL = "vessel"
    GALLBLADDER = "gallbladder"


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A soft mask: `mask.values` is the fraction of each voxel (0-1) that the region fills; its surface is the 0.5 level.

    `method` says where the contour came from, for the report: "drawn: SEG segment 2 'Tumor'" or "classical 1"; `source_uid`
    is the SOP Instance UID of the drawing, "" for what was found in the images; `tracking_uid` is the one a reader gave it.
    `binary` is True when only whole voxels were known, so that the surface must be smoothed before it is trusted.
    `merged` is of how many contours that touch it is made. `edge_sd` is the standard deviation (mm) of the surface's position
    that the method itself states. `drawn_on` names the images that a person drew it on, "" for what was found on those that are
    measured; `place_sd` (mm, along each axis) is how far these may lie from those that are measured.
    """

    kind: Kind
    mask: Volume
    method: str
    binary: bool = False
    label: str = ""
    edge_sd: float = 0.0
    source_uid: str = ""
    tracking_uid: str = ""
    merged: int = 1
    drawn_on: str = ""
    place_sd: float = 0.0

    @property
    def origin(self) -> str:
        """`method` with the object that it speaks of."""
        return f"{self.method} of {self.source_uid}" if self.source_uid else self.method

    def crop(self, low: Index, high: Index) -> Region:
        """The part of the region in a box of its grid (see `Volume.crop`)."""
        return replace(self, mask=self.mask.crop(low, high))


@dataclass(frozen=True, slots=True, eq=False)
class DrawnMask:
    """One segment of a SEG as read: a mask on its own grid, with the texts and codes that name it.

    `codes` are "scheme:value" strings (for example "SCT:108369006") of category, type and anatomic region. `images` are those
    that it says it was drawn on.
    """

    source_uid: str
    number: int
    label: str
    codes: tuple[str, ...]
    mask: Volume
    fractional: bool
    by_us: bool = False
    tracking_uid: str = ""
    images: Images = frozenset()


@dataclass(frozen=True, slots=True)
class DrawnPolygons:
    """One ROI of an RTSTRUCT as read: closed planar polygons in LPS mm; `images` as in `DrawnMask`."""

    source_uid: str
    number: int
    label: str
    codes: tuple[str, ...]
    polygons: tuple[tuple[Vector, ...], ...]
    frame_of_reference_uid: str = ""
    images: Images = frozenset()


Drawing = DrawnMask | DrawnPolygons


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """What a segmenter sees: the phases on one grid and what people drew.

    `phases` are registered and resampled to the grid of `phases[reference]`; `residuals` (mm) has one entry for each phase
    but the reference. `seeds` are points (LPS mm) in ablation zones, where a person gave any. `images` tells by UID and frame
    number to which phase (its key) an image belongs, `offsets` (mm) how far the phases that could be compared lie from the
    reference, which is 0: motion and residual.
    """

    reference: Role
    phases: Mapping[Role, Volume]
    residuals: Mapping[Role, float]
    drawings: tuple[Drawing, ...] = ()
    seeds: tuple[Vector, ...] = ()
    images: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    offsets: Mapping[str, float] = field(default_factory=dict)

    @property
    def sharp(self) -> Exam:
        """The same with the phases on which an edge can be seen."""
        return replace(self, phases={role: volume for role, volume in self.phases.items() if role not in DIFFUSION})


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """What a segmenter found; `reasons` says, for each kind that it did not find, why (one sentence).

    `notes` are sentences about contours that are there but could not be used.
    """

    liver: Region | None = None
    zones: tuple[Region, ...] = ()
    tumors: tuple[Region, ...] = ()
    vessels: Region | None = None
    gallbladder: Region | None = None
    reasons: Mapping[Kind, str] | None = None
    notes: tuple[str, ...] = ()
