"""What is no MRI after an ablation: kept, acknowledged, and left alone for a reason that can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from tests.dicom.wire import an_image
from tests.journey.line import dcmsend
from tests.journey.orthanc import Orthanc
from tests.journey.running import Running
from tests.journey.test_orthanc import saved
from tests.peers import real_data

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(600)]

ALONE = {
    "1.2.840.10008.5.1.4.1.1.2": ("CT", "CT Image Storage"),
    "1.2.840.10008.5.1.4.1.1.6.1": ("US", "Ultrasound Image Storage"),
    "1.2.840.10008.5.1.4.1.1.7": ("OT", "Secondary Capture Image Storage"),
    "1.2.840.10008.5.1.4.1.1.88.33": ("SR", "Comprehensive SR Storage"),
    "1.2.840.10008.5.1.4.1.1.104.1": ("DOC", "Encapsulated PDF Storage"),
}


def test_other_modalities_and_documents_are_stored_and_the_reason_names_them(running: Running, tmp_path: Path) -> None:
    for sop_class, (modality, name) in ALONE.items():
        study = generate_uid(prefix=None)
        image = an_image(changes={"SOPClassUID": sop_class, "Modality": modality}, study=study)
        dcmsend([saved(image, tmp_path)], running.port)

        detail = running.study(study)  # nothing to wait for: the acknowledgement came after the decision
        assert detail is not None
        assert (detail["state"], detail["versions"], detail["result"]) == ("nothing_to_do", [], None)
        assert detail["sentence"] == f"{name} is neither an MR image nor a drawing: stored, not analysed."
        assert (detail["counts"]["instances"], detail["counts"]["ignored"]) == (0, 1)


@pytest.mark.real_data
def test_results_by_other_tools_are_stored_and_lead_to_no_result(running: Running, orthanc: Orthanc) -> None:
    """A drawing alone is looked at, because somebody may have drawn a tumor; without images nothing is measured."""
    expected: dict[str, set[str]] = {}
    names = set()
    for path in sorted(real_data("results_by_others").rglob("*.dcm")):
        header = dcmread(path, stop_before_pixels=True)
        expected.setdefault(str(header.StudyInstanceUID), set()).add(str(header.SOPInstanceUID))
        names.add(orthanc.keep(path))
    answer = orthanc.send_to_service(*sorted(names))
    assert (answer["InstancesCount"], answer["FailedInstancesCount"]) == (sum(map(len, expected.values())), 0)

    for study, instances in expected.items():
        detail = running.settled(study)
        assert detail["state"] == "nothing_to_do", detail["errors"]
        assert "The study holds no MR images." in detail["sentence"]
        assert (detail["result"], detail["outputs"], detail["errors"]) == (None, [], [])
        assert detail["counts"]["instances"] + detail["counts"]["ignored"] == len(instances)
        assert all(series["reason_ignored"] for series in detail["series"] if series["ignored"])
