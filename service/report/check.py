"""The gate before sending: an object that breaks one of our own rules never leaves.

The rules are written apart from what makes the objects, so that a mistake there is not made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import islice
from operator import or_

from pydicom.dataset import Dataset

from service.errors import Faulty
from service.report import uids
from service.report.draft import Draft, Made
from service.report.header import nearest
from service.report.result import Result
from service.report.rules import attributes, document, identity, references, terms
from service.report.rules.subject import Broken, Known, Subject, parts_of
from service.report.wording import plain

CODE = "check.broken"
MOST = 20  # faults of one object that are counted; the first one stands in the sentence

RULES: tuple[Callable[[Subject], Iterator[Broken]], ...] = (
    attributes.broken,
    identity.broken,
    terms.broken,
    document.broken,
    references.broken,
)
_STUDY_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID", "SOPClassUID")


def require(draft: Draft) -> tuple[Made, ...]:
    """The objects of a draft, when each of them may leave.

    Raises:
        Faulty: One may not; the sentence names object, rule and place, and no text of the study.
    """
    for made in draft.made:
        faults = faults_of(made, draft)
        if faults:
            first, more = faults[0], len(faults) - 1
            rest = f" ({more} more)" if more else ""
            sentence = f"The object '{made.role}' is kept back, because it breaks the rule '{first.rule}'"
            raise Faulty(CODE, f"{sentence} at {first.place}: {first.found}{rest}. Nothing was sent; report this sentence.")
    return draft.made


def faults_of(made: Made, draft: Draft) -> list[Broken]:
    """The first faults of one object of a draft."""
    subject = subject_of(made, draft)
    return list(islice((fault for rule in RULES for fault in rule(subject)), MOST))


def subject_of(made: Made, draft: Draft) -> Subject:
    """An object with what it may rest on: the study, the predecessors, and the objects made before it."""
    earlier = draft.made[: next(index for index, one in enumerate(draft.made) if one is made)]
    return Subject(
        made,
        draft.result.study_instance_uid,
        nearest(draft.result, draft.sources),
        _known(draft.result, draft.sources, earlier),
        earlier,
        _uids(draft.result, draft.sources),
        _codes(draft.sources),
        tuple(parts_of(made.dataset)),
    )


def _known(result: Result, sources: Sequence[Dataset], earlier: Sequence[Made]) -> Mapping[str, Known]:
    predecessors = {uid: Known(series_instance_uid=uids.of_series(uid)) for uid in result.predecessors}
    headers = {str(one.SOPInstanceUID): _of_header(one) for one in sources if one.get("SOPInstanceUID")}
    instances = (plane.instance for use in result.phases for plane in use.phase.planes)
    images = {one.sop_instance_uid: Known(one.sop_class_uid, one.series_instance_uid) for one in instances}
    own = {one.sop_instance_uid: _of_header(one.dataset) for one in earlier}
    return reduce(or_, (predecessors, images, headers, own))


def _of_header(header: Dataset) -> Known:
    frames = int(header.get("NumberOfFrames") or 1)
    return Known(str(header.get("SOPClassUID")), str(header.get("SeriesInstanceUID")), frames)


def _uids(result: Result, sources: Sequence[Dataset]) -> frozenset[str]:
    of_sources = {str(source.get(keyword)) for source in sources for keyword in _STUDY_UIDS}
    instances = [plane.instance for use in result.phases for plane in use.phase.planes]
    of_images = {
        uid for one in instances for uid in (one.sop_instance_uid, one.series_instance_uid, one.frame_of_reference_uid)
    }
    return frozenset(of_sources | of_images | {result.study_instance_uid, *result.predecessors})


def _codes(sources: Sequence[Dataset]) -> frozenset[tuple[str, str]]:
    """What the study itself says was done, as a report repeats it."""
    items = [item for source in sources for item in source.get("ProcedureCodeSequence") or ()]
    return frozenset((_plain(item, "CodingSchemeDesignator"), _plain(item, "CodeValue")) for item in items)


def _plain(item: Dataset, keyword: str) -> str:
    return plain(str(item.get(keyword) or ""))
