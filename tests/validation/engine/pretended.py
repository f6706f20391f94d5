"""The child process of a pretended analysis: makes two objects that say that nothing was measured, under derived UIDs."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from service.codes import DEVICE_UID
from service.jobs.child import ANSWER_FILE, REQUEST_FILE, report
from service.jobs.limits import be_first_to_go, die_with_parent
from service.jobs.messages import ANSWER, REQUEST, Answer, MadeFile, Request
from service.report.uids import derive

NOTHING = "NOTHING WAS MEASURED: TEST OF THE ENGINE"
KINDS = {"sr": ("1.2.840.10008.5.1.4.1.1.88.34", "SR"), "summary": ("1.2.840.10008.5.1.4.1.1.7", "OT")}
BEGIN, END = "begin", "end"


def main(folder: Path, parent: int, pipe: int) -> None:
    """Do as the real one does: die with the worker."""
    die_with_parent(parent)
    be_first_to_go()
    perform(folder, pipe)


def perform(folder: Path, pipe: int) -> None:
    """Do as the real one does: tell progress, write the answer last."""
    request = REQUEST.validate_json((folder / REQUEST_FILE).read_bytes())
    header = dcmread(request.paths[0], stop_before_pixels=True)
    name = f"{header.StudyInstanceUID} {request.content_version}"
    note(BEGIN, name)
    report(pipe, "measure", 50)
    time.sleep(float(os.environ.get("PRETEND_S", "0.5")))
    made = tuple(make(folder, role, header, request) for role in KINDS)
    part = folder / f"{ANSWER_FILE}.part"
    part.write_bytes(ANSWER.dump_json(Answer(record(header, request), made)))
    part.rename(folder / ANSWER_FILE)
    note(END, name)


def note(word: str, name: str) -> None:
    """A line that is whole or not there (PIPE_BUF)."""
    notes = os.environ.get("PRETEND_NOTES")
    if notes:
        descriptor = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{word} {name}\n".encode())
        os.close(descriptor)


def make(folder: Path, role: str, header: Dataset, request: Request) -> MadeFile:
    """An object of the study."""
    sop_class, modality = KINDS[role]
    item = Dataset()
    item.SOPClassUID, item.SOPInstanceUID = sop_class, derive(header.StudyInstanceUID, request.content_version, role)
    item.StudyInstanceUID, item.SeriesInstanceUID = header.StudyInstanceUID, derive(item.SOPInstanceUID, "series")
    item.PatientID, item.PatientName, item.Modality = header.PatientID, NOTHING, modality
    item.SeriesDescription, item.DeviceUID = NOTHING, DEVICE_UID
    item.file_meta = FileMetaDataset()
    item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    item.save_as(folder / f"{role}.dcm", enforce_file_format=True)
    return MadeFile(role, sop_class, str(item.SOPInstanceUID), f"{role}.dcm")


def record(header: Dataset, request: Request) -> dict[str, object]:
    """A result without findings."""
    return {
        "format": 1,
        "study_instance_uid": str(header.StudyInstanceUID),
        "content_version": request.content_version,
        "created_at": request.created_at.isoformat(),
        "software": {"name": "test of the engine", "version": "0", "settings_hash": ""},
        "verdict": NOTHING,
        "research_use": NOTHING,
        "warnings": [NOTHING],
        "predecessors": [],
        "contours": {},
        "phases": [],
        "tumors": [],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
