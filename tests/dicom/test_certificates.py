"""What is wrong with certificates is said before it stops anybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from service.dicom.certificates import look_at
from service.dicom.tls import Credentials
from tests.dicom.authority import NOW, Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize(
    ("days", "well", "seen"),
    [
        ((-1, 90), True, f"valid until {NOW + timedelta(90):%Y-%m-%d}"),
        ((-1, 20.5), True, "renew it: 20 days are left"),
        ((-9, -1), False, f"expired on {NOW - timedelta(1):%Y-%m-%d}"),
        ((1, 9), False, "not valid before"),
    ],
)
def test_the_time_of_a_certificate_is_looked_at(
    authority: Authority, days: tuple[float, float], seen: str, *, well: bool
) -> None:
    looked = look_at(authority.issue("one", days=days), NOW)
    assert looked.well == well
    assert seen in looked.seen


def test_an_authority_that_has_expired_is_no_use(authority: Authority) -> None:
    looked = look_at(Credentials(ca=authority.ca), NOW + timedelta(366))
    assert not looked.well


def test_a_key_of_another_certificate_is_found(authority: Authority) -> None:
    looked = look_at(replace(authority.issue("one"), key=authority.issue("two").key), NOW)
    assert not looked.well
    assert "the key is not that of the certificate" in looked.seen


@pytest.mark.parametrize("content", [None, b"", b"no PEM"])
def test_a_file_that_cannot_be_read_is_named(authority: Authority, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    looked = look_at(replace(authority.issue("one"), ca=path), NOW)
    assert not looked.well
    assert "ca.pem" in looked.seen


def test_nothing_named_is_not_well() -> None:
    assert not look_at(Credentials(), NOW).well
