"""What kind of image a phase is, from how it was made; descriptions only add or take a little.

Ranges are those of abdominal protocols at 1.5 and 3 T; they are our assumptions. Words of image types are those that
Siemens, GE, Philips, Canon and United Imaging write, as their conformance statements and images show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.study.fat_water import FatWater, fat_water
from service.study.model import Acquisition, Phase


class Kind(StrEnum):
    """Contrast of an image, before anything is known about contrast agent and time."""

    T1 = "T1"
    T2 = "T2"
    DWI = "DWI"
    ADC = "ADC"
    SUBTRACTION = "subtraction"
    IN_PHASE = "in phase"
    OPPOSED_PHASE = "opposed phase"
    LOCALIZER = "localizer"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Vote:
    """One piece of evidence: points (0-1) for a kind, and what it rests on."""

    kind: Kind
    points: float
    reason: str


def kind_votes(phase: Phase, company: Sequence[Phase]) -> tuple[Vote, ...]:
    """All evidence for what a phase is: from its image type, its making, its description, and the phases of its `company`.

    `company` are the phases of its series and those made at the same moment, itself included.
    """
    return (
        *_from_image_type(phase),
        *_from_diffusion(phase, company),
        *_from_making(phase),
        *_from_company(phase, company),
        *_from_words(phase),
    )


def described(phase: Phase) -> str:
    """Series description and protocol name, in lower case with single blanks, for reading words in it."""
    both = f"{phase.first.series_description} {phase.first.protocol_name}"
    return f" {re.sub(r'[^a-z0-9äöüé+]+', ' ', both.lower())} "


# Image type: the scanner's own statement


_NAMED_KINDS = (
    ({"LOCALIZER", "SCOUT", "SURVEY"}, Kind.LOCALIZER, "localizer"),
    ({"ADC", "ADC_UNSPECIFIED", "EADC", "MEAN_ADC"}, Kind.ADC, "apparent diffusion coefficient"),
    ({"SUBTRACTION", "SUBTRACT", "SUBTRACTED", "SUB"}, Kind.SUBTRACTION, "subtraction"),
    ({"PROJECTION IMAGE", "MIP", "MINIP", "MIN_IP", "MAX_IP", "MIN IP", "COLLAPSE"}, Kind.OTHER, "a projection"),
    ({"REFORMATTED", "CSA MPR", "CSA REFORMAT"}, Kind.OTHER, "a reformat of another series"),
    ({"PHASE", "P", "REAL", "R", "IMAGINARY", "I", "PHASE MAP", "FIELD_MAP", "B0", "VELOCITY"}, Kind.OTHER, "no magnitude"),
    ({"FAT", "F", "WFI_FAT", "FAT_FRACTION", "FF", "PDFF", "FAT_FRAC", "WATER_FRACTION"}, Kind.OTHER, "fat"),
    ({"IN_PHASE", "IP", "INPHASE", "WFI_IP", "IN PHASE"}, Kind.IN_PHASE, "fat and water in phase"),
    (
        {"OPP_PHASE", "OP", "OUT_OF_PHASE", "OUT_PHASE", "OUTPHASE", "OPPOSED_PHASE", "WFI_OP", "OUT PHASE", "OPP PHASE"},
        Kind.OPPOSED_PHASE,
        "fat and water opposed",
    ),
    ({"DIFFUSION", "TRACEW", "TRACE", "CALC_BVALUE"}, Kind.DWI, "diffusion"),
    ({"FA", "TENSOR", "T1 MAP", "T2 MAP", "T2_STAR", "T2_STAR MAP", "R2_STAR", "PERFUSION"}, Kind.OTHER, "a map"),
)


def _from_image_type(phase: Phase) -> Iterator[Vote]:
    """The first that the table knows: an ADC map is a diffusion image too."""
    words = set(phase.planes[0].frame.image_type)
    for names, kind, meaning in _NAMED_KINDS:
        if words & names:
            yield Vote(kind, 1.0, f"its image type says {meaning} ({', '.join(sorted(words & names))})")
            return


# Making: times, angle, sequence


def _from_diffusion(phase: Phase, company: Sequence[Phase]) -> Iterator[Vote]:
    """Echo-planar with a b-value; b = 0 counts only beside another: some scanners write 0 into every image."""
    made, b_value = phase.first.acquisition, phase.b_value
    gradient_echo = "GR" in made.scanning_sequence and "SE" not in made.scanning_sequence
    if b_value is None or "EP" not in made.scanning_sequence or gradient_echo:
        return
    if max((other.b_value or 0.0) for other in company) >= WEIGHTED:
        yield Vote(Kind.DWI, 0.8, f"echo-planar with b = {b_value:g} s/mm²")


WEIGHTED = 20.0  # s/mm²; some scanners count their imaging gradients and never say 0


def _from_making(phase: Phase) -> Iterator[Vote]:
    made, frame = phase.first.acquisition, phase.planes[0].frame
    echo = frame.echo_time
    if echo is None or "EP" in made.scanning_sequence:
        return
    shown = f"(TR {_shown(made.repetition_time)} ms, TE {echo:g} ms)"
    if (frame.inversion_time or 0.0) > LONG_INVERSION or echo >= HEAVY_ECHO:
        yield Vote(Kind.OTHER, 0.6, f"made to show or to hide fluid alone {shown}")
        return
    for kind, fits, meaning in _MAKINGS:
        if fits(made, echo):
            yield Vote(kind, 0.6, f"{meaning} {shown}")
            return


LONG_INVERSION = 1000.0  # ms; nulls fluid, where fat is nulled by 150 to 250
HEAVY_ECHO = 500.0  # ms; cholangiography


def _balanced(made: Acquisition, _echo: float) -> bool:
    """Steady state without spoiling, whose contrast is T2 over T1; a spoiled one so fast would have a small angle."""
    if "GR" not in made.scanning_sequence:
        return False
    tr, angle, variant = made.repetition_time, made.flip_angle, made.sequence_variant
    fast_and_wide = tr is not None and angle is not None and tr < 8 and angle >= 35
    return fast_and_wide or ("SS" in variant and "SP" not in variant and not _small_angle(made))


def _small_angle(made: Acquisition) -> bool:
    """GE writes SS for its spoiled three-dimensional sequences too, sometimes without SP."""
    return made.manufacturer.upper().startswith("GE") and made.flip_angle is not None and made.flip_angle <= 20


def _spoiled_gradient_echo(made: Acquisition, echo: float) -> bool:
    tr = made.repetition_time
    research = "RM" in made.scanning_sequence and made.acquisition_type == "3D"  # GE's word for its newer sequences
    return ("GR" in made.scanning_sequence or research) and tr is not None and 0 < echo < 10 and tr < 400


def _short_spin_echo(made: Acquisition, echo: float) -> bool:
    tr = made.repetition_time
    return "SE" in made.scanning_sequence and tr is not None and echo < 30 and 200 < tr < 900


def _long_echo(made: Acquisition, echo: float) -> bool:
    spin = {"SE", "RM"} & set(made.scanning_sequence) or not made.scanning_sequence
    return bool(spin) and echo >= 50


_MAKINGS: tuple[tuple[Kind, Callable[[Acquisition, float], bool], str], ...] = (
    (Kind.T2, _long_echo, "T2-weighted by its times"),
    (Kind.OTHER, _balanced, "balanced steady state by its angle and times"),
    (Kind.T1, _spoiled_gradient_echo, "T1-weighted gradient echo by its times"),
    (Kind.T1, _short_spin_echo, "T1-weighted spin echo by its times"),
)


def _shown(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"


# Company: what the other phases of its series show


_FAT_WATER = {FatWater.IN: Kind.IN_PHASE, FatWater.OPPOSED: Kind.OPPOSED_PHASE}


def _from_company(phase: Phase, company: Sequence[Phase]) -> Iterator[Vote]:
    made, echo = phase.first.acquisition, phase.planes[0].frame.echo_time
    echoes = {other.planes[0].frame.echo_time for other in company} - {None}
    found = fat_water(echo, made.field_strength)
    if found is not None and len(echoes) > 1 and echo is not None and _spoiled_gradient_echo(made, echo):
        yield Vote(_FAT_WATER[found], 0.8, f"one of {len(echoes)} echoes, fat and water {found} at {echo:g} ms")
    if len({_direction(other) for other in company} - {None}) >= 3:
        yield Vote(Kind.LOCALIZER, 0.6, "made along three directions at once")


def _direction(phase: Phase) -> tuple[int, ...] | None:
    cosines = phase.planes[0].frame.orientation
    return None if cosines is None else tuple(round(value) for value in cosines)


# Words: a hint


_WORDS: tuple[tuple[Kind, str], ...] = (
    (Kind.LOCALIZER, r" (localizer|localiser|locator|loc|scout|survey|3 ?plane|plan scan|calibration|cal|aset|ref scan) "),
    (Kind.ADC, r" (d?adc|eadc|apparent diffusion) "),
    (Kind.SUBTRACTION, r" (sub|subs|subtraction|subtracted|subtr) "),
    (Kind.DWI, r" (dwi|diff|diffusion|ep2d diff|trace|tracew|dw|b ?(0|50|400|500|600|800|1000)) "),
    (Kind.IN_PHASE, r" (in ?phase|inph) "),
    (Kind.OPPOSED_PHASE, r" (opp|opposed|opp ?phase|opposed ?phase|out of phase|out ?phase|outph) "),
    (Kind.OTHER, r" (mip|mpr|mrcp|cholangio|angio|mra|ph|phase contrast|fat fraction|fat only|pdff|ff) "),
    (Kind.OTHER, r" (fiesta|trufi|truefisp|bffe|btfe|truessfp) "),
    (Kind.T2, r" (t2|t2w|haste|ssfse|sshot|ssh|fase|blade|stir|propeller|arms|jet) "),
    (Kind.T1, r" (t1|t1w|vibe|starvibe|twist|lava|disco|thrive|ethrive|mdixon|fame|tigre|quick ?3ds?) "),
    (Kind.T1, r" (dyn|dynamic|arterial|portal|venous|delayed|precontrast) "),
)


def _from_words(phase: Phase) -> Iterator[Vote]:
    words = described(phase)
    for kind, pattern in _WORDS:
        found = re.search(pattern, words)
        if found:
            points = 0.7 if kind in _BY_NAME_ONLY else 0.4
            yield Vote(kind, points, f"its description says “{found.group().strip()}”")
            return


_BY_NAME_ONLY = frozenset({Kind.LOCALIZER, Kind.ADC, Kind.SUBTRACTION, Kind.OTHER, Kind.IN_PHASE, Kind.OPPOSED_PHASE})
