"""SEGMENTERS is complete, and of several segmenters each kind of region comes from the first that finds it."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import service.regions
from service.errors import Unusable
from service.regions.region import DrawnMask, Exam, Kind
from service.regions.table import segment_all, segmenters
from service.study.model import Role
from tests.shapes import ball, fractions, grid


def drawing(label: str, radius: float) -> DrawnMask:
    """A ball that somebody drew."""
    return DrawnMask("1.2.3", 1, label, (), fractions(ball(radius), grid(16.0)), fractional=True)


def exam(*drawings: DrawnMask) -> Exam:
    """An exam that nothing automatic can work on."""
    return Exam(Role.PORTAL_VENOUS, {Role.PORTAL_VENOUS: grid(16.0)}, {}, drawings)


def test_every_segmenter_is_in_the_table() -> None:
    modules = [name for _, name, _ in pkgutil.iter_modules(service.regions.__path__)]
    found = {name for name in modules if hasattr(importlib.import_module(f"service.regions.{name}"), "segment")}
    assert found == set(segmenters())


def test_first_segmenter_that_finds_a_kind_is_taken() -> None:
    regions = segment_all(exam(drawing("Tumor", 5.0), drawing("Ablation zone", 10.0)), ("drawn", "classical"))
    assert [region.label for region in regions.tumors] == ["Tumor"]
    assert regions.liver is None
    assert regions.reasons is not None
    assert Kind.LIVER in regions.reasons


def test_no_zone_at_all_is_refused_with_the_reason_of_the_last() -> None:
    with pytest.raises(Unusable) as refusal:
        segment_all(exam(), ("drawn",))
    assert refusal.value.code == "regions.nothing_drawn"


def test_tumor_without_zone_is_refused() -> None:
    with pytest.raises(Unusable) as refusal:
        segment_all(exam(drawing("Tumor", 5.0)), ("drawn",))
    assert refusal.value.code == "regions.no_zone"
    assert "ablation zone" in refusal.value.sentence


def test_empty_contour_is_noted() -> None:
    empty = drawing("Vessel", 0.0)
    regions = segment_all(exam(drawing("Tumor", 5.0), drawing("Ablation zone", 10.0), empty), ("drawn",))
    assert regions.notes == ("The contour 'Vessel' is empty.",)
