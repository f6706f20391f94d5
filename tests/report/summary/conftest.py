"""Results to draw pages of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service import codes
from service.features.finding import Finding, Reason, Status
from service.report.draft import Draft
from service.report.segments import Segments
from service.volumes.volume import Volume
from tests.report.conftest import SHAPE, Sample, affine, sample
from tests.report.measured import measured

LONG = "The edge between ablated tissue and liver has too little contrast for its noise on every one of the images. " * 4


def draft_of(given: Sample, who: str = "none") -> Draft:
    """What the page of a sample is drawn from."""
    return Draft(given.result, given.sources, Segments(None, ()), patient_on_page=who)


def with_findings(given: Sample, findings: tuple[Finding, ...]) -> Sample:
    """The same result with other findings of its first tumor, and without its surface."""
    first, *others = given.result.tumors
    changed = replace(first, findings=findings, surface=None, visibility=None)
    return Sample(replace(given.result, tumors=(changed, *others)), given.sources)


def with_image(given: Sample) -> Sample:
    """The same result with an image of noise."""
    values = np.random.default_rng(5).normal(200.0, 30.0, SHAPE).astype(np.float32)
    return Sample(replace(given.result, image=Volume(values, affine(), "")), given.sources)


def many(count: int, sentence: str = LONG) -> tuple[Finding, ...]:
    """Findings of every kind, their reasons and notes all different and long."""
    return tuple(_finding(number, f"{number}: {sentence}") for number in range(count))


def _finding(number: int, sentence: str) -> Finding:
    title = f"Finding {number} of the tumor surface at or below some millimeters"
    look = (f"finding_{number}", title, codes.ours(f"F{number}", title), "method 1")
    if number % 3 == 0:
        note = sentence[:90]
        return Finding(
            *look, Status.MEASURED, value=1.5, unit=codes.MM, category=codes.UNDETERMINED, interval=(1.0, 2.0), note=note
        )
    status = Status.NOT_ASSESSABLE if number % 3 == 1 else Status.NOT_ATTEMPTED
    return Finding(*look, status, reason=Reason(f"reason.{number}", sentence))


@pytest.fixture(scope="session")
def drawn() -> Sample:
    """Two tumors with everything that there are pictures of."""
    return with_image(measured(tumors=2))


@pytest.fixture(scope="session")
def plain() -> Sample:
    """A result with findings of every kind, but nothing to draw."""
    return sample()
