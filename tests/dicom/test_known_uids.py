"""A UID that was judged is what pynetdicom would make of it; whatever is wrong with one is said each time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom.uid import UID
from pynetdicom import pdu_items, presentation, utils
from pynetdicom.presentation import PresentationContext

from service.dicom import known_uids
from tests.dicom.wire import EXPLICIT, MR


@pytest.fixture(autouse=True)
def judged() -> Iterator[None]:
    """Remembering, in this process for good: what comes after must not notice."""
    known_uids.remember()
    yield
    known_uids.remember()


@pytest.mark.parametrize("value", [MR, MR.encode(), UID(MR), "", None])
def test_a_uid_is_what_it_was_the_first_time_and_each_time_after(value: str | bytes | None) -> None:
    expected = utils.set_uid(value, "a name")
    found = [presentation.set_uid(value, "a name") for _ in range(3)]

    assert found == [expected] * 3
    assert {type(one) for one in found} == {type(expected)}


def test_one_that_is_too_long_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.warns(UserWarning, match="maximum length"), pytest.raises(ValueError, match="64 characters"):
            pdu_items.set_uid("1." * 40, "a name")


def test_no_more_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who invents UIDs fills nobody's memory."""
    monkeypatch.setattr(known_uids, "_MOST", 2)
    judged: list[str] = []

    def judge(value: str, *_: object) -> UID:
        judged.append(value)
        return UID(value)

    remembered = known_uids._remembering(judge)
    for _ in range(2):
        for number in range(4):
            assert remembered(f"1.2.{number}") == f"1.2.{number}"
    assert judged == ["1.2.0", "1.2.1", "1.2.2", "1.2.3", "1.2.2", "1.2.3"]


def test_a_context_has_each_transfer_syntax_once_and_in_order() -> None:
    implicit = UID("1.2.840.10008.1.2")
    for _ in range(2):
        context = PresentationContext()
        context.transfer_syntax = [EXPLICIT, implicit, EXPLICIT.encode()]
        assert context.transfer_syntax == [EXPLICIT, implicit]
        assert all(isinstance(syntax, UID) for syntax in context.transfer_syntax)
