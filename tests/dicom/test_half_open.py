from __future__ import annotations

from service.dicom.half_open import PATIENCE_S, HalfOpen, Room

LATER = 100 + PATIENCE_S


def test_there_is_room_until_one_of_the_limits() -> None:
    waiting: HalfOpen[str] = HalfOpen(3, 2)
    for key, peer in (("a", "10.0.0.1"), ("b", "10.0.0.1"), ("c", "10.0.0.2")):
        assert waiting.make_room(peer, 100) == Room(admitted=True)
        waiting.add(key, peer, 100)

    assert waiting.make_room("10.0.0.3", 101) == Room(admitted=False)
    assert len(waiting) == 3


def test_the_oldest_of_the_peer_that_has_too_many_gives_way() -> None:
    waiting: HalfOpen[str] = HalfOpen(10, 2)
    waiting.add("honest", "10.0.0.2", 50)
    waiting.add("old", "10.0.0.1", 100)
    waiting.add("young", "10.0.0.1", LATER - 1)

    assert waiting.make_room("10.0.0.1", LATER) == Room(admitted=True, gives_way="old")
    assert len(waiting) == 2


def test_the_oldest_of_all_gives_way_when_all_are_too_many() -> None:
    waiting: HalfOpen[str] = HalfOpen(2, 2)
    waiting.add("old", "10.0.0.1", 100)
    waiting.add("young", "10.0.0.2", 101)

    assert waiting.make_room("10.0.0.3", LATER) == Room(admitted=True, gives_way="old")


def test_who_has_asked_or_is_gone_takes_no_room() -> None:
    waiting: HalfOpen[str] = HalfOpen(1, 1)
    waiting.add("a", "10.0.0.1", 100)
    waiting.remove("a")
    waiting.remove("a")

    assert waiting.make_room("10.0.0.1", 100) == Room(admitted=True)
