from __future__ import annotations

import pytest

from service.dicom.destination import Destination, Verify, parse_destination


@pytest.mark.parametrize("address", ["ARCHIVE@host:104", "OUR PACS@192.0.2.1:11112", "A@[::1]:4242"])
def test_an_address_is_read_and_written_alike(address: str) -> None:
    assert parse_destination("a", address).address == address


def test_the_parts_of_an_address() -> None:
    assert parse_destination("a", "PACS@host:104", verify=Verify.FIND) == Destination(
        "a", "PACS", "host", 104, verify=Verify.FIND
    )


@pytest.mark.parametrize("address", ["", "host:104", "A@host", "A@host:70000", "A@:104", "TITLE-OF-SEVENTEEN@h:1", "A@h:1 "])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="AETITLE@host:port"):
        parse_destination("a", address)
