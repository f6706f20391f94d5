"""What kind of image a phase is, from how it was made; descriptions only add or take a little.

Ranges are those of abdominal protocols at 1.5 and 3 T; they are our assumptions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from service.study.model import Acquisition, Phase


class Kind(StrEnum):
    """Contrast of an image, before anything is known about contrast agent and time."""

    T1 = "T1"
    T2 = "T2"
    DWI = "DWI"
    ADC = "ADC"
    SUBTRACTION = "subtraction"
    LOCALIZER = "localizer"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Vote:
    """One piece of evidence: points (0-1) for a kind, and what it rests on."""

    kind: Kind
    points: float
    reason: str


def kind_votes(phase: Phase) -> tuple[Vote, ...]:
    """All evidence for what a phase is, from its making, its image type and its description."""
    return (*_from_image_type(phase), *_from_making(phase), *_from_words(phase))


def described(phase: Phase) -> str:
    """Series description and protocol name, in lower case with single blanks, for reading words in it."""
    both = f"{phase.first.series_description} {phase.first.protocol_name}"
    return f" {re.sub(r'[^a-z0-9äöüé+]+', ' ', both.lower())} "


# Image type: the scanner's own statement


_NAMED_KINDS = (
    ({"LOCALIZER"}, Kind.LOCALIZER, "localizer"),
    ({"ADC", "ADC_UNSPECIFIED"}, Kind.ADC, "apparent diffusion coefficient"),
    ({"SUBTRACTION", "SUBTRACT", "SUB"}, Kind.SUBTRACTION, "subtraction"),
    ({"DIFFUSION", "TRACEW"}, Kind.DWI, "diffusion"),
    ({"PHASE", "P", "REAL", "R", "IMAGINARY", "I", "PHASE MAP", "FIELD_MAP", "B0", "VELOCITY"}, Kind.OTHER, "no magnitude"),
    ({"FAT", "F", "IN_PHASE", "IP", "OPP_PHASE", "OP", "OUT_OF_PHASE", "FAT_FRACTION"}, Kind.OTHER, "fat or in/opposed phase"),
    ({"PROJECTION IMAGE", "MIP", "MINIP", "MIN_IP", "MAX_IP"}, Kind.OTHER, "a projection"),
    ({"FA", "TENSOR", "T1 MAP", "T2 MAP", "T2_STAR", "R2_STAR", "PERFUSION"}, Kind.OTHER, "a map"),
)


def _from_image_type(phase: Phase) -> Iterator[Vote]:
    words = set(phase.planes[0].frame.image_type)
    for names, kind, meaning in _NAMED_KINDS:
        if words & names:
            yield Vote(kind, 1.0, f"its image type says {meaning} ({', '.join(sorted(words & names))})")


# Making: times, angle, sequence


def _from_making(phase: Phase) -> Iterator[Vote]:
    made, echo, b_value = phase.first.acquisition, phase.planes[0].frame.echo_time, phase.planes[0].frame.b_value
    if b_value is not None and "EP" in made.scanning_sequence:
        yield Vote(Kind.DWI, 0.8, f"echo-planar with b = {b_value:g} s/mm²")
    if echo is None or "EP" in made.scanning_sequence:
        return
    for kind, fits, meaning in _MAKINGS:
        if fits(made, echo):
            yield Vote(kind, 0.6, f"{meaning} (TR {_shown(made.repetition_time)} ms, TE {echo:g} ms)")
            return


def _spoiled_gradient_echo(made: Acquisition, echo: float) -> bool:
    """Not the balanced kind (steady state without spoiling), whose contrast is T2 over T1."""
    tr, variant = made.repetition_time, made.sequence_variant
    if "SS" in variant and "SP" not in variant:
        return False
    return "GR" in made.scanning_sequence and tr is not None and 0 < echo < 10 and tr < 400


def _short_spin_echo(made: Acquisition, echo: float) -> bool:
    tr = made.repetition_time
    return "SE" in made.scanning_sequence and tr is not None and echo < 30 and 200 < tr < 900


def _long_echo(made: Acquisition, echo: float) -> bool:
    spin = {"SE", "RM"} & set(made.scanning_sequence) or not made.scanning_sequence
    return bool(spin) and 50 <= echo < 500


_MAKINGS: tuple[tuple[Kind, Callable[[Acquisition, float], bool], str], ...] = (
    (Kind.T2, _long_echo, "T2-weighted by its times"),
    (Kind.T1, _spoiled_gradient_echo, "T1-weighted gradient echo by its times"),
    (Kind.T1, _short_spin_echo, "T1-weighted spin echo by its times"),
)


def _shown(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"


# Words: a hint


_WORDS: tuple[tuple[Kind, str], ...] = (
    (Kind.LOCALIZER, r" (localizer|localiser|loc|scout|survey|3 ?plane|plan scan|calibration|cal|aset|ref scan) "),
    (Kind.ADC, r" (d?adc|apparent diffusion) "),
    (Kind.SUBTRACTION, r" (sub|subs|subtraction|subtracted|subtr) "),
    (Kind.DWI, r" (dwi|diff|diffusion|ep2d diff|trace|tracew|dw|b ?(0|50|400|500|600|800|1000)) "),
    (Kind.OTHER, r" (mip|mpr|mrcp|cholangio|angio|mra|ph|phase contrast|fat fraction|in phase|opp|opposed|out of phase) "),
    (Kind.T2, r" (t2|t2w|haste|ssfse|sshot|ssh|blade|stir|propeller|fiesta|trufi|bffe) "),
    (
        Kind.T1,
        r" (t1|t1w|vibe|lava|thrive|ethrive|mdixon|fame|tigre|dyn|dynamic|arterial|portal|venous|delayed|precontrast) ",
    ),
)


def _from_words(phase: Phase) -> Iterator[Vote]:
    words = described(phase)
    for kind, pattern in _WORDS:
        found = re.search(pattern, words)
        if found:
            points = 0.7 if kind in _BY_NAME_ONLY else 0.4
            yield Vote(kind, points, f"its description says “{found.group().strip()}”")
            return


_BY_NAME_ONLY = frozenset({Kind.LOCALIZER, Kind.ADC, Kind.SUBTRACTION, Kind.OTHER})
