"""From modality and archive to the report in the archive, each of them a program of somebody else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, ExplicitVRLittleEndian, generate_uid

from tests.dicom.wire import an_image
from tests.journey.conftest import Study
from tests.journey.line import dcmsend, storescu
from tests.journey.orthanc import AE_TITLE, Orthanc, read
from tests.journey.running import Running
from tests.peers import require_program
from tests.report.pixelmed import validated

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(600)]

NewStudy = Callable[[str], Study]


def errors(*command: object) -> list[str]:
    """What a validator holds against a file."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, errors="replace")
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]


def states(detail: dict[str, Any]) -> set[str]:
    """How the deliveries of the outputs ended."""
    return {delivery["state"] for output in detail["outputs"] for delivery in output["deliveries"]}


def by_others(study: Study) -> list[Dataset]:
    """A report, a screenshot and a CT image that somebody else put into the study."""
    source = read(study.paths[0].read_bytes())
    kinds = {"1.2.840.10008.5.1.4.1.1.88.33": "SR", "1.2.840.10008.5.1.4.1.1.7": "OT", "1.2.840.10008.5.1.4.1.1.2": "CT"}
    made = []
    for sop_class, modality in kinds.items():
        changes = {"SOPClassUID": sop_class, "Modality": modality, "SeriesInstanceUID": generate_uid()}
        made.append(an_image(changes=changes | {"PatientID": source.PatientID}, study=study.uid))
    return made


def saved(dataset: Dataset, folder: Path) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_a_study_from_dcmsend_is_answered_in_the_archive_once(
    running: Running, orthanc: Orthanc, new_study: NewStudy, tmp_path: Path
) -> None:
    """SR and SEG lie in the study of the images, valid; neither a repetition nor their own return starts anything."""
    study = new_study("DCMSEND")
    dcmsend(study.paths, orthanc.port, AE_TITLE)
    dcmsend(study.paths, running.port)
    detail = running.settled(study.uid)

    assert (detail["state"], states(detail)) == ("done", {"verified"}), detail["sentence"]
    (name,) = orthanc.studies(study.uid)
    assert orthanc.counts(name) == {"MR": len(study.paths) - 1, "SEG": 1 + 1, "SR": 2, "OT": 1}
    reports, results = orthanc.results(name, "SR"), [*orthanc.results(name, "SR"), *orthanc.results(name, "SEG")]
    assert {read(result).StudyInstanceUID for result in results} == {study.uid}

    files = [tmp_path / f"{number}.dcm" for number in range(len(results))]
    for path, result in zip(files, results, strict=True):
        path.write_bytes(result)
        assert errors(require_program("dciodvfy"), "-new", path) == []
    for text in validated(files[: len(reports)], timeout=200.0).values():
        assert "IOD validation complete" in text
        assert [line for line in text.splitlines() if line.startswith("Error")] == []

    dcmsend(study.paths, running.port)  # the whole study again
    assert running.study(study.uid) == detail

    answer = orthanc.send_to_service(name)  # and everything that the archive has, our results among it
    assert (answer["InstancesCount"], answer["FailedInstancesCount"]) == (len(study.paths) + 4, 0)
    after = running.study(study.uid)
    assert after is not None
    assert (after["state"], after["attempt"], after["versions"]) == ("done", 1, detail["versions"])
    assert (after["counts"]["instances"], after["counts"]["ignored"]) == (len(study.paths), 4)
    ignored = {series["modality"]: series["reason_ignored"] for series in after["series"] if series["ignored"]}
    assert ignored == dict.fromkeys(["SR", "SEG", "OT"], "Made by this service: its own results start no analysis.")
    assert orthanc.counts(name) == {"MR": len(study.paths) - 1, "SEG": 1 + 1, "SR": 2, "OT": 1}


def test_three_late_slices_from_storescu_give_a_result_that_names_its_predecessor(
    running: Running, orthanc: Orthanc, new_study: NewStudy, tmp_path: Path
) -> None:
    """Objects by others in the same study are kept, take no part, and do not open it again."""
    study = new_study("STORESCU")
    late = study.of_series("arterial")[-3:]
    others = [saved(dataset, tmp_path) for dataset in by_others(study)]
    on_time = [path for path in study.paths if path not in late]

    assert storescu(on_time + others, running.port) == on_time + others
    first = running.settled(study.uid)
    assert (first["state"], first["counts"]["instances"], first["counts"]["ignored"]) == ("done", len(on_time), 3)
    reasons = {series["modality"]: series["reason_ignored"] for series in first["series"] if series["ignored"]}
    assert reasons.keys() == {"SR", "OT", "CT"}
    assert all("is neither an MR image nor a drawing" in reason for reason in reasons.values())

    assert storescu(late, running.port) == late
    second = running.settled(study.uid, versions=2)
    assert (second["state"], states(second)) == ("done", {"verified"})
    assert second["counts"]["instances"] == len(study.paths)

    (name,) = orthanc.studies(study.uid)
    assert orthanc.counts(name) == {"SEG": 2, "SR": 4, "OT": 2}
    reports = [read(report) for report in orthanc.results(name, "SR")]
    for kind in (Comprehensive3DSRStorage, ComprehensiveSRStorage):
        old, new = (report for report in reports if report.SOPClassUID == kind)
        (predecessor,) = new.PredecessorDocumentsSequence
        (named,) = predecessor.ReferencedSeriesSequence[0].ReferencedSOPSequence
        assert (predecessor.StudyInstanceUID, named.ReferencedSOPInstanceUID) == (study.uid, old.SOPInstanceUID)
        assert "PredecessorDocumentsSequence" not in old


def test_send_to_modality_is_enough(running: Running, orthanc: Orthanc, new_study: NewStudy) -> None:
    """What a technologist does: the images are in the archive, and the archive is told to send them."""
    study = new_study("ORTHANC")
    (name,) = {orthanc.keep(path) for path in study.paths}
    assert orthanc.send_to_service(name)["FailedInstancesCount"] == 0
    detail = running.settled(study.uid)

    assert (detail["state"], states(detail)) == ("done", {"verified"}), detail["sentence"]
    promises = {one["detail"] for output in detail["outputs"] for one in output["deliveries"]}
    assert promises == {"promised by storage commitment"}
    assert orthanc.studies(study.uid) == [name]
    assert orthanc.counts(name) == {"MR": len(study.paths) - 1, "SEG": 1 + 1, "SR": 2, "OT": 1}
    assert [len(orthanc.results(name, modality)) for modality in ("SEG", "SR", "OT")] == [1, 2, 1]
