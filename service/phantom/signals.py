"""How bright each tissue is in each phase; liver before contrast = 100.

Source: typical values of 3-D fat-saturated gradient echo with extracellular contrast at 1.5-3 T; the ablated margin is dark
to isointense before contrast and does not enhance.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from service.study.model import Role

PHASES = (Role.T1_PRE, Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED, Role.T2)
"""The series of a phantom, in the order in which they are acquired."""
HAEMORRHAGE = 45.0
"""How much brighter on T1 an ablated margin with methaemoglobin is."""


class Tissue(StrEnum):
    """What a body is made of."""

    LIVER = "liver"
    MARGIN = "margin"
    TUMOR = "tumor"
    RIM = "rim"
    ARTERY = "artery"
    VEIN = "vein"
    THROMBUS = "thrombus"
    BLOOD = "blood"
    BILE = "bile"
    SPLEEN = "spleen"
    MUSCLE = "muscle"
    FAT = "fat"
    AIR = "air"


def _row(*values: float) -> Mapping[Role, float]:
    return dict(zip(PHASES, values, strict=True))


SIGNALS: Mapping[Tissue, Mapping[Role, float]] = {
    Tissue.LIVER: _row(100, 125, 190, 175, 100),
    Tissue.MARGIN: _row(70, 72, 74, 76, 120),
    Tissue.TUMOR: _row(65, 65, 65, 65, 160),
    Tissue.RIM: _row(95, 200, 215, 195, 170),
    Tissue.ARTERY: _row(55, 210, 320, 260, 20),
    Tissue.VEIN: _row(55, 110, 320, 260, 20),
    Tissue.THROMBUS: _row(80, 80, 82, 84, 90),
    Tissue.BLOOD: _row(185, 187, 189, 191, 70),  # methaemoglobin in tissue or in the tract of a probe
    Tissue.BILE: _row(50, 50, 50, 50, 350),
    Tissue.SPLEEN: _row(75, 200, 180, 165, 140),
    Tissue.MUSCLE: _row(60, 70, 85, 85, 50),
    Tissue.FAT: _row(20, 22, 22, 22, 40),
    Tissue.AIR: _row(0, 0, 0, 0, 0),
}


def signal(tissue: Tissue, role: Role, enhancement: float = 0.0, *, haemorrhagic: bool = False) -> float:
    """Brightness of a tissue; `enhancement` is the tumor's (0.27 = 27 %), `haemorrhagic` the ablated margin's variant.

    >>> signal(Tissue.TUMOR, Role.PORTAL_VENOUS, enhancement=0.6)
    104.0
    """
    value = SIGNALS[tissue][role]
    if tissue is Tissue.TUMOR and role not in {Role.T1_PRE, Role.T2}:
        return value * (1 + enhancement)
    if tissue is Tissue.MARGIN and haemorrhagic and role is not Role.T2:
        return value + HAEMORRHAGE
    return value
