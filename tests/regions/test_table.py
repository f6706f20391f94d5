"""Several ways to contours: each kind from the first that finds it, and nothing that was refused is passed over."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from service.errors import Unusable
from service.regions import drawn, table
from service.regions.region import Exam, Kind, Region, Regions
from service.study.model import Role
from service.volumes.volume import Volume

GRID = Volume(np.zeros((2, 2, 2), np.float32), np.eye(4))
EXAM = Exam(Role.PORTAL_VENOUS, {Role.PORTAL_VENOUS: GRID}, {})


def region(kind: Kind, method: str) -> Region:
    return Region(kind, GRID, method)


def refusing(code: str, sentence: str) -> Callable[[Exam], Regions]:
    def segment(_exam: Exam) -> Regions:
        raise Unusable(code, sentence)

    return segment


def giving(regions: Regions) -> Callable[[Exam], Regions]:
    return lambda _exam: regions


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Regions]:
    """Ask these segmenters in this order."""

    def run(*segmenters: Callable[[Exam], Regions]) -> Regions:
        named = {str(number): segmenter for number, segmenter in enumerate(segmenters)}
        monkeypatch.setattr(table, "segmenters", lambda _labels: named)
        return table.segment_all(EXAM, tuple(named))

    return run


ZONE = Regions(zones=(region(Kind.ABLATION_ZONE, "second"),))


def test_each_kind_comes_from_the_first_that_finds_it(use: Callable[..., Regions]) -> None:
    first = Regions(tumors=(region(Kind.TUMOR, "first"),), reasons={Kind.LIVER: "Nobody drew the liver."})
    second = Regions(zones=ZONE.zones, tumors=(region(Kind.TUMOR, "second"),), liver=region(Kind.LIVER, "second"))
    found = use(giving(first), giving(second))
    assert [tumor.method for tumor in found.tumors] == ["first"]
    assert [zone.method for zone in found.zones] == ["second"]
    assert found.liver is not None
    assert not found.reasons


def test_a_drawing_that_was_refused_is_told_beside_what_was_found_instead(use: Callable[..., Regions]) -> None:
    found = use(refusing("regions.drawn_elsewhere", "The contour lies elsewhere."), giving(ZONE))
    assert found.notes == ("The contour lies elsewhere.",)


def test_that_nobody_drew_is_no_note(use: Callable[..., Regions]) -> None:
    assert use(refusing(drawn.NOTHING_DRAWN, "Nothing."), giving(ZONE)).notes == ()


def test_without_a_zone_the_last_fault_is_the_answer(use: Callable[..., Regions]) -> None:
    with pytest.raises(Unusable, match="No liver"):
        use(refusing(drawn.NOTHING_DRAWN, "Nothing."), refusing("regions.no_liver", "No liver."))


def test_every_name_of_the_configuration_is_in_the_table() -> None:
    assert set(table.segmenters()) == {"drawn", "classical"}
