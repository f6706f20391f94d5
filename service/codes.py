"""Coded concepts and units used everywhere.

Source: DICOM PS3.16 context groups and pydicom's dictionaries; concepts that no public scheme has are ours, scheme
99CRYOMARGIN, with values of at most 16 characters (SH).
"""

from __future__ import annotations

from dataclasses import dataclass

SCHEME = "99CRYOMARGIN"
VALUE_LENGTH = 16  # SH

# Codes of public schemes that stand in the standard (PS3.16 CID 82, 83, TID 1500, 1204) but not in pydicom's dictionary.
ALSO_PUBLIC = frozenset({("UCUM", "mL"), ("UCUM", "um2/s"), ("RFC5646", "en-US"), ("UMLS", "C0034375")})
_registered: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Code:
    """A coded entry (PS3.3 section 8): value, scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


def ours(value: str, meaning: str) -> Code:
    """A concept of our own scheme, from then on known as such.

    Raises:
        ValueError: The value is too long, or has another meaning already.

    >>> ours("ABLZONE", "Something else")
    Traceback (most recent call last):
    ...
    ValueError: 'ABLZONE' means 'Ablation zone' already, and cannot mean 'Something else'
    """
    if not 0 < len(value) <= VALUE_LENGTH:
        raise ValueError(f"{value!r} has not 1 to {VALUE_LENGTH} characters")
    known = _registered.setdefault(value, meaning)
    if known != meaning:
        raise ValueError(f"{value!r} means {known!r} already, and cannot mean {meaning!r}")
    return Code(value, SCHEME, meaning)


def is_registered(value: str, meaning: str) -> bool:
    """Whether this is a concept of our own scheme; `meaning` may be cut to the 64 characters that a code meaning has."""
    return value in _registered and _registered[value][:64] == meaning


# Units (UCUM).
MM = Code("mm", "UCUM", "millimeter")
ML = Code("mL", "UCUM", "milliliter")
PERCENT = Code("%", "UCUM", "percent")
RATIO = Code("1", "UCUM", "no units")
SQUARE_MICROMETERS = Code("um2/s", "UCUM", "square micrometer per second")  # 1e-6 mm2/s

# Where.
LIVER = Code("10200004", "SCT", "Liver")
TUMOR = Code("108369006", "SCT", "Neoplasm")
ABLATION_ZONE = ours("ABLZONE", "Ablation zone")
BLOOD_VESSEL = Code("59820001", "SCT", "Blood vessel")
CRYOABLATION = Code("C15215", "NCIt", "Cryoablation")

# Answers.
YES = Code("373066001", "SCT", "Yes")
NO = Code("373067005", "SCT", "No")
UNDETERMINED = Code("373068000", "SCT", "Undetermined")
INDETERMINATE = Code("114011", "DCM", "Value indeterminate")
NOT_ATTEMPTED = Code("114007", "DCM", "Measurement not attempted")

# How our own objects are known when they come back.
PRODUCT = "Cryomargin"
DEVICE_UID = "2.25.208982336851122087093596847431212815980"
