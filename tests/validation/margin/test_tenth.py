"""The truths in the file are those of the phantoms as they are made now."""

from __future__ import annotations

import numpy as np
import pytest

from tests.validation.margin import tenth
from tests.validation.margin.family import recipe
from tests.validation.margin.known import Known, known_of, mark, read, write

ANEW = (1, 3, 5, 7, 41, 999)  # each way to be seen
MINIMUM, SINGLE = 0.02, 0.1  # mm, as truth.py states


@pytest.fixture(scope="module")
def kept() -> dict[int, Known]:
    return read(tenth.FILE)


def test_every_phantom_has_its_truth(kept: dict[int, Known]) -> None:
    """A change of any shape changes its mark: then the file must be made anew."""
    assert tuple(kept) == tenth.SEEDS
    stale = [seed for seed in tenth.SEEDS if abs(kept[seed].mark - mark(recipe(seed).scene)) > 1e-4]
    assert stale == [], "run `just known-margins`"


@pytest.mark.parametrize("seed", ANEW)
def test_a_truth_found_anew_is_the_same(kept: dict[int, Known], seed: int) -> None:
    anew = known_of(seed)
    assert kept[seed].minimum == pytest.approx(anew.minimum, abs=MINIMUM)
    np.testing.assert_allclose(kept[seed].numbers, anew.numbers, atol=SINGLE)


def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("known") / "known.csv"
    known = {7: Known.of([float(number) for number in range(18)]), 3: Known.of([1.0, 2.0, *[float("nan")] * 16])}
    write(path, known)
    assert list(read(path)) == [3, 7]
    assert read(path)[7] == known[7]
    np.testing.assert_equal(read(path)[3].numbers, known[3].numbers)


def test_chance_leaves_a_little_beside_a_goal() -> None:
    """Of 300 with a goal of 93 to 97 %, 99 of 100 methods that just reach it have 267 to 298."""
    least, most = tenth.by_chance(300, tenth.COVERAGE)
    assert (least, most) == (267, 298)
