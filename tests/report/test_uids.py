"""UIDs follow from the input, the software and the settings, and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pydicom.uid import UID

from service.report.result import Result
from service.report.uids import derive, of_object, of_series
from tests.report.conftest import Sample


def test_a_derived_uid_is_valid_and_always_the_same() -> None:
    uid = derive("1.2.3", "0.1.0", "abc", "sr")

    assert uid == "2.25.158015449687821500201074003649242377001"
    assert UID(uid).is_valid


def test_no_boundary_between_parts_is_lost() -> None:
    assert derive("ab", "c") != derive("a", "bc")
    assert derive("a", "b") != derive("b", "a")


def changed(result: Result) -> dict[str, Result]:
    portal = result.phases[1]
    fewer = replace(portal, phase=replace(portal.phase, planes=portal.phase.planes[1:]))
    return {
        "version of the software": replace(result, software=replace(result.software, version="0.1.1")),
        "settings": replace(result, software=replace(result.software, settings_hash="0")),
        "content of an instance": replace(result, content_version="ba9876543210"),
        "another predecessor": replace(result, predecessors=("1.2.3",)),
        "an instance less": replace(result, phases=(result.phases[0], fewer, result.phases[2])),
    }


@pytest.mark.parametrize(
    "what", ["version of the software", "settings", "content of an instance", "another predecessor", "an instance less"]
)
def test_any_change_of_what_went_in_makes_a_new_uid(one: Sample, what: str) -> None:
    assert of_object(one.result, "sr") != of_object(changed(one.result)[what], "sr")


def test_the_time_of_a_repeat_makes_no_new_uid(one: Sample) -> None:
    later = replace(one.result, created_at=one.result.created_at + timedelta(days=1))

    assert of_object(one.result, "sr") == of_object(later, "sr")


def test_each_object_has_its_own_uid_and_series(one: Sample) -> None:
    objects = [of_object(one.result, role) for role in ("seg", "sr", "summary")]

    assert len({*objects, *map(of_series, objects)}) == 6
