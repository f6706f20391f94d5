"""Unique identifiers that follow from what went in.

A repeated analysis makes the same objects under the same UIDs; any change of input, software or settings makes new ones.
Source: DICOM PS3.5 annex B.2 (UUID derived UID), RFC 9562 section 5.5 (UUID version 5).
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID, uuid5

from service.report.result import Result

_NAMESPACE = UUID("9d3b8a60-6a0c-4d4e-9b0b-3f2a4c6e7d15")
_SEPARATOR = "\x1f"
# Reports that go beside another one: their UID follows from its UID, so that both can be told apart in a list of either.
_BESIDE = {"sr_places": "sr"}
# The role of a report that goes in the place of the one of the findings: either may supersede the other.
NOT_ASSESSABLE = "not_assessable"
_INSTEAD = {NOT_ASSESSABLE: "sr"}


def derive(*parts: str) -> str:
    """The UID that belongs to these texts, in this order.

    >>> derive("1.2.3", "0.1.0", "abc", "sr") == derive("1.2.3", "0.1.0", "abc", "sr")
    True
    >>> derive("ab", "c") == derive("a", "bc")
    False
    """
    return f"2.25.{uuid5(_NAMESPACE, _SEPARATOR.join(parts)).int}"


def of_object(result: Result, role: str) -> str:
    """The SOP Instance UID of the output object `role` of a result.

    `created_at` takes no part: the same study analysed again is the same object. Predecessors, tracking UIDs and why
    an earlier exam is not followed do: they stand in it.
    """
    if role in _BESIDE:
        return derive(of_object(result, _BESIDE[role]), role)
    software = result.software
    return derive(
        result.study_instance_uid,
        result.content_version,
        *_inputs(result),
        software.name,
        software.version,
        software.settings_hash,
        *result.predecessors,
        *(tumor.tracking_uid for tumor in result.tumors),
        *result.not_followed,
        role,
    )


def of_role(reports: Collection[str], role: str) -> tuple[str, ...]:
    """Those of our reports (SOP Instance UIDs) that have a role; one that goes beside another is known by that one."""
    beside = {derive(uid, name): name for uid in reports for name in _BESIDE}
    return tuple(uid for uid in reports if beside.get(uid, "sr") == _INSTEAD.get(role, role))


def of_series(sop_instance_uid: str) -> str:
    """The Series Instance UID of one of our objects: each lies in its own series, which its UID alone tells."""
    return derive(sop_instance_uid, "series")


def _inputs(result: Result) -> list[str]:
    used = (use.phase for use in result.phases if use.used)
    return sorted({plane.instance.sop_instance_uid for phase in used for plane in phase.planes})
