"""Ask an archive what it holds (C-FIND, Study Root, PS3.4 C)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind as StudyRootFind,
)

from service.dicom.association import NO_CONTEXT, associate
from service.dicom.destination import Caller, Destination
from service.errors import Refused, TryAgain

SUCCESS = 0x0000
PENDING = (0xFF00, 0xFF01)
CLASS_NOT_SUPPORTED = 0x0122


@dataclass(frozen=True, slots=True)
class Reference:
    """Where an instance stands in the archive's hierarchy."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str


def find(references: Sequence[Reference], destination: Destination, caller: Caller) -> frozenset[str]:
    """Those of the instances that the archive says it holds (SOP Instance UIDs).

    Raises:
        TryAgain: No association, or no answer.
        Refused: It offers no such query, or refused it.
    """
    try:
        with associate(destination, caller, [build_context(StudyRootFind)]) as association:
            return frozenset(uid for reference in references for uid in _find_one(association, reference, destination))
    except TryAgain as fault:
        if fault.code != NO_CONTEXT:
            raise
        raise Refused(fault.code, f"{destination.name} does not offer C-FIND (Study Root)", CLASS_NOT_SUPPORTED) from fault


def _find_one(association: Any, reference: Reference, destination: Destination) -> list[str]:
    """The instance's UID, or nothing; an archive that ignores the key and returns the whole series does no harm."""
    found: list[str] = []
    for status, answer in association.send_c_find(_keys(reference), StudyRootFind):
        code = status.get("Status")
        if code in PENDING:
            found.append(str(answer.get("SOPInstanceUID", "")))
        elif code is None:
            raise TryAgain("destination.no_status", f"{destination.name} gave no answer to C-FIND")
        elif code != SUCCESS:
            raise Refused("destination.find", f"{destination.name} refused the query (0x{code:04X})", code)
    return [uid for uid in found if uid == reference.sop_instance_uid]


def _keys(reference: Reference) -> Dataset:
    keys = Dataset()
    keys.QueryRetrieveLevel = "IMAGE"
    keys.StudyInstanceUID = reference.study_instance_uid
    keys.SeriesInstanceUID = reference.series_instance_uid
    keys.SOPInstanceUID = reference.sop_instance_uid
    return keys
