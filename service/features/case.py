"""What the measurements see: one tumor with its zone, the liver, the vessels and the phases, all on one grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.regions.margin_surface import MarginSurface
from service.regions.patches import patches
from service.regions.region import Region
from service.regions.visibility import Visibility
from service.study.model import Role
from service.volumes.volume import Volume

BY_CHANCE = 0.05  # of the surface: what noise hides on a good exam, here and there
PLACE_BY_CHANCE = 0.012  # of the surface, in one place
CONTRADICTED = 0.003  # of the surface; a few points where two tissues meet a third
NEVER_BY_CHANCE = frozenset({"field_of_view", "no_signal"})  # reasons why a point is lost


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One tumor to measure.

    `phases` are registered to the reference phase; `residuals` (mm) say how well. `phase_keys` names the DICOM phase behind
    each role. A region is None when nobody drew it and no method found it; `missing` then says why, by kind of region.
    `surface` and `visibility` are None, with a reason under "margin" in `missing`, when no margin can be defined.
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
    surface: MarginSurface | None = None
    visibility: Visibility | None = None
    gallbladder: Region | None = None

    @property
    def entire(self) -> bool:
        """Whether the entire margin can be judged, but for what noise hides by chance: a little in many places.

        A void, a border or another tissue than that of the contour hides nothing so.
        """
        if self.surface is None or self.visibility is None or not self.surface.closed:
            return False
        hidden = patches(self.surface, ~self.visibility.assessable)
        little = hidden.sum() <= BY_CHANCE and hidden.max(initial=0.0) <= PLACE_BY_CHANCE
        by_chance = bool(little) and self.visibility.contradicted <= CONTRADICTED
        return by_chance and not NEVER_BY_CHANCE & self.visibility.reasons.keys()

    @property
    def uptake(self) -> Volume:
        """What took up contrast: the reference phase minus the one before contrast, or alone without that."""
        after, before = self.phases[self.reference], self.phases.get(Role.T1_PRE)
        return after if before is None else after.with_values(after.values - before.values)

    @property
    def contours(self) -> str:
        """Where the contours of tumor and zone came from, for the report."""
        named = (("tumor", self.tumor), ("zone", self.zone), ("liver", self.liver))
        return "; ".join(f"{name}: {region.method}" for name, region in named if region is not None)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all phases used, the reference first."""
        roles = sorted(self.phase_keys, key=lambda role: role is not self.reference)
        return tuple(self.phase_keys[role] for role in roles)
