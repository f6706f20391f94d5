"""Short looks for bytes that break what reads them; `just fuzz` looks for as long as it is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.dicom.hostile_bytes import IMAGES, PROPERTIES, SESSION, parts_of
from tests.dicom.raw import STORE
from tests.dicom.wire import EXPLICIT


@pytest.mark.filterwarnings("ignore:Found unknown escape sequence:UserWarning")
@pytest.mark.parametrize("holds", PROPERTIES, ids=lambda one: one.__name__)
def test_any_bytes_are_read_or_refused(holds: Callable[[], None]) -> None:
    holds()


def test_an_honest_connection_is_cut_into_what_was_said() -> None:
    kinds = [part[:3] for part in parts_of(SESSION, [17]) if len(part) == 4]
    contents = b"".join(part[3] for part in parts_of(SESSION, [17]) if len(part) == 4 and not part[1])

    assert contents == IMAGES[EXPLICIT]
    assert kinds[0] == (1, True, True)
    assert parts_of(SESSION, [17])[1][3] == STORE
