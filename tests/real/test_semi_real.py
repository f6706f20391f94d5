"""A treated tumor of known truth in a real abdominal MR, sent by DCMTK to the running service: right, or with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from service.jobs.truth import MARGIN, VESSEL, Verdict, compare
from service.phantom.recipe import Wish
from service.phantom.truth import Truth
from service.phantom.vessels import VesselKind
from service.phantom.write import write_study
from service.store.records import State
from tests.real.abdomen import semi_real
from tests.real.running import dcmsend, ended, running

pytestmark = [pytest.mark.real_data, pytest.mark.peer, pytest.mark.slow]

# Seed, and what the tumor is like; the first two are clear to see, so that their margin must be said.
CASES = {
    "thin and bridged": (1, Wish(vessel=VesselKind.BRIDGE_STRAIGHT, margin=0.5, enhancement=1.07, diameter=6.0)),
    "wide": (4, Wish(vessel=VesselKind.NONE, margin=6.0, enhancement=2.6)),
    "faint": (2, Wish(vessel=VesselKind.GAP_2, margin=4.0, enhancement=0.0)),
}
CLEAR = ("thin and bridged", "wide")


@dataclass(frozen=True, slots=True)
class Sent:
    """The truth of one study and what the API showed: before anybody drew a contour, and after."""

    truth: Truth
    automatic: Mapping[str, Any]
    drawn: Mapping[str, Any]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Sent]:
    """All patients sent to one service; their contours follow when all have ended."""
    folder = tmp_path_factory.mktemp("semi-real")
    patients = {name: semi_real(seed, wish) for name, (seed, wish) in CASES.items()}
    files = {name: write_study(patient, folder / name, seg="fractional") for name, patient in patients.items()}
    uids = {name: str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID) for name, paths in files.items()}
    with running(folder) as service:
        for paths in files.values():
            _take(dcmsend(service, paths[:-1]), paths[:-1])
        automatic = ended(service)
        for paths in files.values():
            _take(dcmsend(service, paths[-1:]), paths[-1:])
        drawn = ended(service, versions=2)
    return {name: Sent(patients[name].truth, automatic[uid], drawn[uid]) for name, uid in uids.items()}


def _take(said: str, paths: list[Path]) -> None:
    assert f"with status SUCCESS  : {len(paths)}" in said, said


def verdicts(study: Mapping[str, Any], truth: Truth) -> dict[str, Verdict]:
    """How margin and vessel stand to the truth; a study without a result asserts nothing, but says why."""
    if study["result"] is None:
        assert study["state"] == State.NOTHING_TO_DO
        assert study["sentence"]
        return {}
    assert study["state"] == State.DONE
    return {row.name: row.verdict for row in compare(study["result"], truth) if row.name in {MARGIN, VESSEL}}


@pytest.mark.parametrize("name", CASES)
def test_nothing_wrong_is_asserted(cases: Mapping[str, Sent], name: str) -> None:
    case = cases[name]
    for study in (case.automatic, case.drawn):
        assert Verdict.WRONG not in verdicts(study, case.truth).values(), study["sentence"]


@pytest.mark.parametrize("name", CASES)
def test_what_is_not_asserted_has_its_reason(cases: Mapping[str, Sent], name: str) -> None:
    case = cases[name]
    for tumor in case.drawn["result"]["tumors"]:
        for finding in tumor["findings"]:
            assert finding["category"] or finding["value"] is not None or finding["reason"], finding


@pytest.mark.parametrize("name", CLEAR)
def test_the_margin_of_a_clear_tumor_is_said_from_its_contours(cases: Mapping[str, Sent], name: str) -> None:
    case = cases[name]
    assert verdicts(case.drawn, case.truth)[MARGIN] is Verdict.RIGHT
