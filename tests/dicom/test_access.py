"""Who may call: by the title that is called, the title that calls, and the address it calls from."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from service.dicom.access import CALLED_NOT_RECOGNISED, CALLING_NOT_RECOGNISED, Access, access_of, parse_caller
from tests.dicom.conftest import Station
from tests.dicom.wire import Sender, eventually

Serve = Callable[..., Station]
OURS = "CRYOMARGIN"


def access(*callers: str, anywhere: Iterable[str] = ()) -> Access:
    return access_of(OURS, anywhere, callers)


@pytest.mark.parametrize(
    ("calling", "address", "why"),
    [
        ("MR1", "192.0.2.17", ""),
        ("MR1", "::ffff:192.0.2.17", ""),
        ("MR1", "192.0.2.18", "This AE title may not call from this address."),
        ("PACS", "198.51.100.200", ""),
        ("PACS", "192.0.2.17", "This AE title may not call from this address."),
        ("PACS", "2001:db8::7", ""),
        ("PACS", "2001:db8:0:1::7", "This AE title may not call from this address."),
        ("WS1", "203.0.113.9", ""),
        ("ANY", "10.1.2.3", ""),
        ("ANY", "10.2.2.3", "This AE title may not call from this address."),
        ("A@B", "192.0.2.1", ""),
        ("mr1", "192.0.2.17", "This AE title may not call from this address."),
    ],
)
def test_title_and_address_must_fit_together(calling: str, address: str, why: str) -> None:
    rules = access(
        "MR1@192.0.2.17", "PACS@198.51.100.0/24", "PACS@2001:db8::/64", "*@10.1.0.0/16", "A@B@192.0.2.1", anywhere=["WS1"]
    )

    denied = rules.denial(OURS, calling, address)
    assert why == (denied.sentence if denied else "")
    assert denied is None or denied.diagnostic == CALLING_NOT_RECOGNISED


def test_a_title_that_no_rule_names_is_a_stranger() -> None:
    denied = access("MR1@192.0.2.17").denial(OURS, "MR2", "192.0.2.17")
    assert denied is not None
    assert denied.sentence == "The calling AE title is not on the list."


def test_the_called_title_is_asked_for_first() -> None:
    denied = access(anywhere=["*"]).denial("OTHER", "MR1", "127.0.0.1")
    assert denied is not None
    assert denied.diagnostic == CALLED_NOT_RECOGNISED


@given(st.ip_addresses())
def test_without_a_rule_only_this_machine_may_call(address: object) -> None:
    assert (access().denial(OURS, "MR1", str(address)) is None) == getattr(address, "is_loopback", False)
    assert access().denial(OURS, "MR1", "127.0.0.1") is None
    assert access().denial(OURS, "MR1", "::1") is None


@pytest.mark.parametrize("text", ["", "MR1", "@192.0.2.1", "MR1@", "MR1@host", "MR1@192.0.2.17/24", "MR1@192.0.2.0/33"])
def test_what_is_no_rule_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_caller(text)


def test_a_rejected_caller_is_told_logged_and_counted_with_the_reason(serve: Serve) -> None:
    station = serve(callers=("MR1@192.0.2.17", "WS1@127.0.0.0/8"))
    with capture_logs() as logs:
        answers = [Sender(station.address, calling="MR1").association.acceptor.primitive for _ in range(3)]
        stranger = Sender(station.address, calling="MR7").association.acceptor.primitive
        assert eventually(lambda: sum(one.times for one in station.index.rejections()) == 4)

    why, unknown = "This AE title may not call from this address.", "The calling AE title is not on the list."
    assert {(answer.result, answer.result_source, answer.diagnostic) for answer in (*answers, stranger)} == {(1, 1, 3)}
    reasons = [line["reason"] for line in logs if line["event"] == "association_rejected"]
    assert sorted(reasons) == sorted([why] * 3 + [unknown])
    one, other = sorted(station.index.rejections(), key=lambda rejected: rejected.calling_ae)
    assert (one.address, one.calling_ae, one.called_ae, one.reason, one.times) == ("127.0.0.1", "MR1", OURS, why, 3)
    assert (other.calling_ae, other.reason, other.times) == ("MR7", unknown, 1)
    with Sender(station.address, calling="WS1") as sender:
        assert sender.association.is_established


def test_a_stop_counts_what_was_just_rejected(serve: Serve) -> None:
    station = serve(calling_ae_titles=("MR1",))
    assert Sender(station.address, calling="MR2").association.is_rejected
    assert eventually(lambda: bool(station.listener._callers.rejections._waiting or station.index.rejections()))
    station.listener.stop(drain_s=0)

    (rejected,) = station.index.rejections()
    assert rejected.calling_ae == "MR2"
