"""Whether fat and water add or cancel at an echo, from the field strength alone."""

from __future__ import annotations

from enum import StrEnum

CYCLES = 0.1448  # of fat against water for each tesla and ms: 3.4 ppm of 42.577 MHz per tesla
NEAR = 0.2  # cycles around a whole or a half one


class FatWater(StrEnum):
    """How the signals of fat and water stand to each other."""

    IN = "in phase"
    OPPOSED = "opposed"


def fat_water(echo_time: float | None, field_strength: float | None) -> FatWater | None:
    """In phase or opposed at this echo (ms) and field (tesla); None between the two, or when either is unknown.

    >>> [fat_water(echo, 1.5) for echo in (2.3, 4.6)]
    [<FatWater.OPPOSED: 'opposed'>, <FatWater.IN: 'in phase'>]
    >>> fat_water(2.3, 3.0)
    <FatWater.IN: 'in phase'>

    Source: chemical shift of methylene against water, 3.4 ppm (Dixon, Radiology 1984;153:189-94).
    """
    if not echo_time or not field_strength or echo_time < 0.5:
        return None
    part = (echo_time * field_strength * CYCLES) % 1.0
    if min(part, 1.0 - part) < NEAR:
        return FatWater.IN
    return FatWater.OPPOSED if abs(part - 0.5) < NEAR else None
