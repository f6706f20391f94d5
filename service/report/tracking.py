"""Under which UID a tumor is followed from exam to exam.

A reader's own tracking UID goes before everything. Without one, the only tumor of this exam is taken for the only tumor of the
patient's last exam, and the result says so; with several tumors nothing tells which is which, and a wrong identity would fake
a course. Source: DICOM PS3.16 TID 1411 (Tracking Unique Identifier), PS3.3 C.8.20.2 (Tracking UID of a segment).
"""

from __future__ import annotations

from collections.abc import Sequence

from service.report.uids import derive

CONTINUED = "Tumor 1 is taken for the tumor of the patient's last exam: there was one then, and there is one now."


def tracking_uids(
    study_instance_uid: str, labels: Sequence[str], drawn: Sequence[str], known: Sequence[str]
) -> tuple[str, ...]:
    """The tracking UID of each tumor of a study, in the order of its `labels`.

    `drawn` are the tracking UIDs that readers gave to the contours ("" without one), `known` those of the patient's last exam.

    >>> tracking_uids("1.2", ["1", "2"], ["1.5", ""], ["1.9"])[0]
    '1.5'
    >>> tracking_uids("1.2", ["1"], [""], ["1.9"])
    ('1.9',)
    >>> tracking_uids("1.2", ["1"], [""], ["1.9", "1.10"]) == (derive("1.2", "tumor", "1"),)
    True
    """
    if is_continued(drawn, known):
        return (known[0],)
    given = [uid if drawn.count(uid) == 1 else "" for uid in drawn]
    return tuple(uid or derive(study_instance_uid, "tumor", label) for uid, label in zip(given, labels, strict=True))


def is_continued(drawn: Sequence[str], known: Sequence[str]) -> bool:
    """Whether the one tumor here is taken for the one known tumor, because no reader says which it is."""
    return len(drawn) == len(known) == 1 and not drawn[0]
