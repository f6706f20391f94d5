"""What a STOW-RS request is answered with: which instances are stored, which are not and why.

Source: DICOM PS3.18 section 10.5.3 and annex I.2 (Store Instances Response Module), PS3.18 annex F (DICOM JSON).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.dicom.reception import OUT_OF_RESOURCES, SUCCESS, Answer

MEDIA_TYPE = "application/dicom+json"

_RETRIEVE_URL = "00081190"
_FAILED, _REFERENCED, _OTHER = "00081198", "00081199", "0008119A"
_CLASS, _INSTANCE, _REASON = "00081150", "00081155", "00081197"


@dataclass(frozen=True, slots=True)
class Part:
    """What became of one part; without UIDs it was no instance that could be named."""

    sop_class_uid: str
    sop_instance_uid: str
    answer: Answer

    @property
    def stored(self) -> bool:
        """Whether the instance cannot be lost any more."""
        return self.answer.status == SUCCESS


def status_of(parts: Sequence[Part]) -> int:
    """200 when all is stored, 202 when some is, 503 when there is no room, 409 when nothing is; 400 for a body without a part.

    >>> ok, bad, full = (Part("1.2", "1.3", Answer(status)) for status in (0, 0xC000, 0xA700))
    >>> [status_of(parts) for parts in ([ok], [ok, bad], [bad], [full], [])]
    [200, 202, 409, 503, 400]
    """
    stored = sum(part.stored for part in parts)
    if not parts:
        return 400
    if stored:
        return 200 if stored == len(parts) else 202
    return 503 if all(part.answer.status == OUT_OF_RESOURCES for part in parts) else 409


def response_module(parts: Sequence[Part]) -> dict[str, Any]:
    """The Store Instances Response Module in DICOM JSON. The URL to retrieve from is empty: nothing can be retrieved here."""
    named = [part for part in parts if part.sop_instance_uid]
    module: dict[str, Any] = {_RETRIEVE_URL: {"vr": "UR"}}
    _sequence(module, _FAILED, [_reference(part) | _reason(part) for part in named if not part.stored])
    _sequence(module, _REFERENCED, [_reference(part) | {_RETRIEVE_URL: {"vr": "UR"}} for part in named if part.stored])
    _sequence(module, _OTHER, [_reason(part) for part in parts if not part.sop_instance_uid])
    return module


def _sequence(module: dict[str, Any], tag: str, items: list[dict[str, Any]]) -> None:
    if items:
        module[tag] = {"vr": "SQ", "Value": items}


def _reference(part: Part) -> dict[str, Any]:
    return {
        _CLASS: {"vr": "UI", "Value": [part.sop_class_uid]},
        _INSTANCE: {"vr": "UI", "Value": [part.sop_instance_uid]},
    }


def _reason(part: Part) -> dict[str, Any]:
    return {_REASON: {"vr": "US", "Value": [part.answer.status]}}
