"""The axes of tumor and ablation zone, mm."""

from __future__ import annotations

from dataclasses import dataclass

from service.codes import MM, Code, ours
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.regions.axes import axes_of
from service.regions.region import Region

METHOD = "Longest diameter of the surface, wider and narrower extent across the principal axis, version 1"
TUMOR, ZONE = "tumor", "ablation_zone"
SPOKEN = {TUMOR: "Tumor", ZONE: "Ablation zone"}
AXES = ("long", "middle", "short")


@dataclass(frozen=True, slots=True)
class Line:
    """One axis of one region."""

    of: str
    axis: str

    @property
    def name(self) -> str:
        """As in the API."""
        return f"{self.of}_{self.axis}_axis"

    @property
    def title(self) -> str:
        """For people."""
        return f"{SPOKEN[self.of]}, {self.axis} axis"

    @property
    def code(self) -> Code:
        """Of our own scheme."""
        return ours(f"{'TUMOR' if self.of == TUMOR else 'ZONE'}{self.axis.upper()}", self.title)


LINES = tuple(Line(of, axis) for of in (TUMOR, ZONE) for axis in AXES)
NAMES = tuple(line.name for line in LINES)
CODES = tuple(line.code for line in LINES)  # known from the start, to whoever judges an object


def measure(case: Case) -> tuple[Finding, ...]:
    """Three axes of the tumor, then of the ablation zone."""
    return (*_axes(case, TUMOR, case.tumor), *_axes(case, ZONE, case.zone))


def _axes(case: Case, of: str, region: Region | None) -> tuple[Finding, ...]:
    lines = tuple(line for line in LINES if line.of == of)
    found = axes_of(region) if region is not None else None
    if region is None or found is None:
        sentence = case.missing.get(of, f"{SPOKEN[of]}: no contour that could be measured.")
        reason = Reason("axes.no_contour", sentence)
        return tuple(_missing(case, line, reason) for line in lines)
    return tuple(_measured(case, line, length, region) for line, length in zip(lines, found, strict=True))


def _measured(case: Case, line: Line, length: float, region: Region) -> Finding:
    return Finding(
        name=line.name,
        title=line.title,
        code=line.code,
        method=METHOD,
        status=Status.MEASURED,
        value=length,
        unit=MM,
        contours=region.origin,
        inputs=case.keys,
    )


def _missing(case: Case, line: Line, reason: Reason) -> Finding:
    return Finding(line.name, line.title, line.code, METHOD, Status.NOT_ASSESSABLE, reason=reason, inputs=case.keys)
