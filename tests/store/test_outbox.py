from __future__ import annotations

from collections.abc import Callable

import pytest

from service.errors import Unusable
from service.options import Identity
from service.store.index import Index
from service.store.orders import Share
from service.store.records import Delivery, DeliveryState
from service.store.versions import StaleError
from service.study.identity import Compared
from tests.store.builders import STUDY, arrival, at, made, mark, order


@pytest.fixture
def version(index: Index) -> str:
    index.add_instance(arrival(1))
    return index.close_version(STUDY, at(60)).content_version


def states(deliveries: list[Delivery]) -> list[tuple[str, str, DeliveryState]]:
    return [(delivery.destination, delivery.sop_instance_uid, delivery.state) for delivery in deliveries]


def test_every_object_goes_to_every_destination_in_order(index: Index, version: str) -> None:
    index.save_result(STUDY, version, {"verdict": "x"}, [made("seg", "1.9.2"), made("sr", "1.9.1")], at(70))
    planned = index.plan_deliveries(STUDY, version, ["archive", "viewer"], at(70))

    assert states(planned) == [
        ("archive", "1.9.2", DeliveryState.PENDING),
        ("archive", "1.9.1", DeliveryState.PENDING),
        ("viewer", "1.9.2", DeliveryState.PENDING),
        ("viewer", "1.9.1", DeliveryState.PENDING),
    ]


def test_a_destination_gets_only_the_roles_that_it_wants(index: Index, version: str) -> None:
    """One that has no wish of its own gets all."""
    index.save_result(STUDY, version, {}, [made("seg", "1.9.2"), made("sr", "1.9.1"), made("pdf", "1.9.3")], at(70))
    only = {"viewer": frozenset({"sr", "kos"}), "archive": frozenset[str]()}
    planned = index.plan_deliveries(STUDY, version, ["archive", "viewer", "backup"], at(70), only)

    assert [one.sop_instance_uid for one in planned if one.destination == "viewer"] == ["1.9.1"]
    assert [one.destination for one in planned].count("archive") == 3
    assert [one.destination for one in planned].count("backup") == 3


def test_saving_and_planning_again_changes_nothing(index: Index, version: str) -> None:
    """A job repeated after a crash makes the same objects and must not send them twice."""
    objects = [made("seg", "1.9.2"), made("sr", "1.9.1")]
    index.save_result(STUDY, version, {"verdict": "x"}, objects, at(70))
    index.plan_deliveries(STUDY, version, ["archive"], at(70))
    mark(index, ("1.9.2", "archive"), DeliveryState.SENT, 0, "", at(71))
    index.save_result(STUDY, version, {"verdict": "x"}, objects, at(72))
    index.plan_deliveries(STUDY, version, ["archive"], at(70))

    assert states(index.deliveries(STUDY)) == [
        ("archive", "1.9.2", DeliveryState.SENT),
        ("archive", "1.9.1", DeliveryState.PENDING),
    ]


def test_what_a_job_says_that_was_begun_anew_counts_for_nothing(index: Index, version: str) -> None:
    """Each of its changes asks for the attempt in its own transaction."""
    index.work.claim(Share("worker-1", 1))
    (anew,) = index.work.take_over(["worker-1"])
    index.save_result(STUDY, version, {"verdict": "x"}, [made("sr", "1.9.1")], at(70), attempt=anew.attempt)
    index.plan_deliveries(STUDY, version, ["archive"], at(70), attempt=anew.attempt)
    stale, said = anew.attempt - 1, Compared(Identity("p", "", "b", "f"))
    changes: tuple[Callable[[], object], ...] = (
        lambda: index.save_result(STUDY, version, {}, [made("sr", "1.9.2")], at(71), attempt=stale),
        lambda: index.save_refusal(STUDY, version, "No.", [made("sr", "1.9.2")], attempt=stale),
        lambda: index.save_phases(STUDY, version, [{"key": "1.2"}], attempt=stale),
        lambda: index.priors.keep((STUDY, version, stale), said, (), at(71)),
        lambda: index.plan_deliveries(STUDY, version, ["archive", "viewer"], at(71), attempt=stale),
    )
    before = index.study(STUDY)
    for change in changes:
        with pytest.raises(StaleError):
            change()
    assert index.study(STUDY) == before
    assert states(index.deliveries(STUDY)) == [("archive", "1.9.1", DeliveryState.PENDING)]
    index.operators.cancel(STUDY, order(72))
    with pytest.raises(StaleError):  # what is planned for a study that was ended would wait for ever
        index.plan_deliveries(STUDY, version, ["viewer"], at(73), attempt=anew.attempt)


def test_attempts_are_counted_and_the_last_answer_kept(index: Index, version: str) -> None:
    index.save_result(STUDY, version, {}, [made()], at(70))
    index.plan_deliveries(STUDY, version, ["archive"], at(70))
    mark(index, ("1.9.1", "archive"), DeliveryState.PENDING, None, "Nothing listens.", at(71))
    mark(index, ("1.9.1", "archive"), DeliveryState.SENT, 0xB000, "Coerced.", at(72))
    mark(index, ("1.9.1", "archive"), DeliveryState.VERIFIED, 0xB000, "Found.", at(73))
    (delivery,) = index.deliveries()

    assert (delivery.attempts, delivery.state, delivery.status, delivery.detail) == (
        2,
        DeliveryState.VERIFIED,
        0xB000,
        "Found.",
    )
    assert delivery.updated_at == at(73)


def test_deliveries_can_be_narrowed(index: Index, version: str) -> None:
    index.save_result(STUDY, version, {}, [made("seg", "1.9.2"), made("sr", "1.9.1")], at(70))
    index.plan_deliveries(STUDY, version, ["archive"], at(70))
    mark(index, ("1.9.2", "archive"), DeliveryState.SENT, 0, "", at(71))

    assert states(index.deliveries(state=DeliveryState.PENDING)) == [("archive", "1.9.1", DeliveryState.PENDING)]
    assert index.deliveries("9.9") == []
    assert index.deliveries(STUDY, "other") == []
    assert len(index.deliveries(STUDY, version)) == 2


def test_an_older_result_that_still_waits_is_superseded(index: Index, version: str) -> None:
    index.save_result(STUDY, version, {}, [made("seg", "1.9.2"), made("sr", "1.9.1")], at(70))
    index.plan_deliveries(STUDY, version, ["archive"], at(70))
    mark(index, ("1.9.2", "archive"), DeliveryState.SENT, 0, "", at(71))
    index.add_instance(arrival(2))
    newer = index.close_version(STUDY, at(120)).content_version
    index.save_result(STUDY, newer, {}, [made("sr", "1.9.3")], at(130))
    index.plan_deliveries(STUDY, newer, ["archive"], at(70))

    assert {delivery.sop_instance_uid: delivery.state for delivery in index.deliveries(STUDY)} == {
        "1.9.1": DeliveryState.SUPERSEDED,
        "1.9.2": DeliveryState.SENT,
        "1.9.3": DeliveryState.PENDING,
    }


def test_a_replay_that_makes_other_objects_retires_the_old_ones(index: Index, version: str) -> None:
    index.save_result(STUDY, version, {}, [made("sr", "1.9.1")], at(70))
    index.plan_deliveries(STUDY, version, ["archive"], at(70))
    index.save_result(STUDY, version, {}, [made("sr", "1.9.7")], at(80))
    index.plan_deliveries(STUDY, version, ["archive"], at(70))
    detail = index.study(STUDY)

    assert detail is not None
    assert [output.sop_instance_uid for output in detail.outputs] == ["1.9.7"]
    assert {delivery.sop_instance_uid: delivery.state for delivery in index.deliveries(STUDY)} == {
        "1.9.1": DeliveryState.SUPERSEDED,
        "1.9.7": DeliveryState.PENDING,
    }


def test_only_what_was_planned_can_be_marked(index: Index) -> None:
    with pytest.raises(Unusable, match="planned"):
        mark(index, ("1.9.1", "archive"), DeliveryState.SENT, 0, "", at(0))


def test_a_result_needs_its_version(index: Index) -> None:
    with pytest.raises(Unusable, match="no such version"):
        index.save_result(STUDY, "none", {}, [], at(0))
