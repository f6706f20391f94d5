"""Instances to a study: MR images in series and phases, drawings by others, and the rest with the reason why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from service.codes import DEVICE_UID
from service.errors import Unusable
from service.study.model import Ignored, Instance, Patient, Plane, Series, Study
from service.study.phases import split_phases

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
LEGACY_CONVERTED_MR = "1.2.840.10008.5.1.4.1.1.4.4"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABELMAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"

IMAGES = frozenset({MR_IMAGE, ENHANCED_MR, LEGACY_CONVERTED_MR})
DRAWINGS = frozenset({SEGMENTATION, LABELMAP_SEGMENTATION, RT_STRUCTURE_SET})


def by_study(instances: Iterable[Instance]) -> dict[str, tuple[Instance, ...]]:
    """The instances of each StudyInstanceUID, in the order in which they came."""
    found: dict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        found[instance.study_instance_uid].append(instance)
    return {uid: tuple(members) for uid, members in found.items()}


def assemble(instances: Iterable[Instance]) -> Study:
    """The study that these instances are: the same for any order in which they came.

    Raises:
        Unusable: There is none, they are of several studies, or its images name different patients.
    """
    ordered = sorted(instances, key=_order)
    uid = _one_study(ordered)
    kept, ignored = _once(ordered)
    reasons = [(instance, reason_ignored(instance)) for instance in kept]
    used = [instance for instance, reason in reasons if not reason]
    ignored += [Ignored(instance, reason) for instance, reason in reasons if reason]
    images = [instance for instance in used if instance.sop_class_uid in IMAGES]
    patient = _one_patient(images or used)
    drawings, foreign = _of_patient([instance for instance in used if _drawn(instance)], patient)
    return Study(uid, patient, _series(images), drawings, (*ignored, *foreign))


def reason_ignored(instance: Instance) -> str:
    """Why an instance takes no part in the analysis, one sentence; "" when it does."""
    return next((reason for applies, reason in _REASONS if applies(instance)), "")


_REASONS: tuple[tuple[Callable[[Instance], bool], str], ...] = (
    (lambda it: it.device_uid == DEVICE_UID, "It is a result of this service; results never start an analysis."),
    (lambda it: it.modality != "MR" and not _drawn(it), "Its modality is not MR; only MR images are measured."),
    (
        lambda it: it.sop_class_uid not in IMAGES | DRAWINGS,
        "It is no MR image but another object of the scanner (spectrum, report or screenshot).",
    ),
    (lambda it: not _drawn(it) and not (it.rows and it.columns), "It has no pixels."),
    (lambda it: it.samples != 1, "It is a colour picture, not a measured image."),
)


def _drawn(instance: Instance) -> bool:
    return instance.sop_class_uid in DRAWINGS


def _order(instance: Instance) -> tuple[int, str, int, str]:
    number, image = instance.series_number, instance.instance_number
    return number or 0, instance.series_instance_uid, image or 0, instance.sop_instance_uid


def _one_study(instances: Sequence[Instance]) -> str:
    uids = {instance.study_instance_uid for instance in instances}
    if len(uids) != 1:
        raise Unusable("study.not_one", f"The instances belong to {len(uids)} studies; analyse one study at a time.")
    return uids.pop()


def _once(instances: Sequence[Instance]) -> tuple[list[Instance], list[Ignored]]:
    """The first of each SOP Instance UID; the others are ignored."""
    kept: dict[str, Instance] = {}
    again: list[Ignored] = []
    for instance in instances:
        if instance.sop_instance_uid in kept:
            again.append(
                Ignored(instance, "An instance with the same SOP Instance UID is there already; the first one is used.")
            )
        kept.setdefault(instance.sop_instance_uid, instance)
    return list(kept.values()), again


_NAMED_BY = ("patient_id", "issuer", "birth_date", "sex")


def _one_patient(instances: Sequence[Instance]) -> Patient:
    """The patient that all instances name; what is empty contradicts nothing."""
    said = {name: {getattr(instance.patient, name) for instance in instances} - {""} for name in _NAMED_BY}
    wrong = [name.replace("_", " ") for name, found in said.items() if len(found) > 1]
    if wrong:
        raise Unusable(
            "study.identity",
            f"The images of the study name more than one {' and '.join(wrong)}; it may hold two patients. "
            "Correct it in the archive and send it again.",
        )
    return Patient(**{name: next(iter(found), "") for name, found in said.items()})


def _contradicts(one: Patient, other: Patient) -> bool:
    """Whether they cannot be the same person; what is empty contradicts nothing."""
    pairs = ((getattr(one, name), getattr(other, name)) for name in _NAMED_BY)
    return any(mine and its and mine != its for mine, its in pairs)


def _of_patient(drawings: Sequence[Instance], patient: Patient) -> tuple[tuple[Instance, ...], tuple[Ignored, ...]]:
    """Drawings that do not contradict the patient of the images, and the others."""
    own = [drawing for drawing in drawings if not _contradicts(drawing.patient, patient)]
    others = [drawing for drawing in drawings if drawing not in own]
    return tuple(own), tuple(Ignored(drawing, "The drawing names another patient than the images.") for drawing in others)


def _series(images: Sequence[Instance]) -> tuple[Series, ...]:
    found: dict[str, list[Instance]] = defaultdict(list)
    for instance in images:
        found[instance.series_instance_uid].append(instance)
    return tuple(_one_series(uid, members) for uid, members in found.items())


def _one_series(uid: str, members: Sequence[Instance]) -> Series:
    planes = [Plane(instance, frame) for instance in members for frame in instance.frames]
    first = members[0]
    return Series(
        series_instance_uid=uid,
        number=first.series_number,
        description=first.series_description,
        modality=first.modality,
        instances=tuple(members),
        phases=split_phases(uid, planes) if planes else (),
    )
