"""Who and what was refused, with the reason, on page and API."""

from __future__ import annotations

from fastapi.testclient import TestClient

from service.store.index import Index
from service.store.records import Quarantined, Rejected
from tests.web.sample import AT

EVIL = "<script>alert(1)</script>"


def refuse(index: Index) -> None:
    """One caller and one object, both with names that a page must not believe."""
    index.note_rejections([Rejected("192.0.2.99", EVIL, "CRYOMARGIN", "The calling AE title is not on the list.", AT, AT, 3)])
    entry = Quarantined(
        "ab" * 32, 0xC000, "The object ends inside its header.", EVIL, "1.2", "1.2.840.10008.1.2.1", 2048, "", AT, AT
    )
    index.note_quarantined(entry, 10, 1000)


def test_the_api_lists_both_with_the_reason(client: TestClient, index: Index) -> None:
    refuse(index)
    (caller,) = client.get("/api/v1/rejections").json()["items"]
    (thing,) = client.get("/api/v1/quarantine").json()["items"]

    assert (caller["address"], caller["calling_ae"], caller["times"]) == ("192.0.2.99", EVIL, 3)
    assert caller["reason"] == "The calling AE title is not on the list."
    assert (thing["status"], thing["reason"], thing["file"]) == (0xC000, "The object ends inside its header.", "")


def test_the_page_shows_both_escaped(client: TestClient, index: Index) -> None:
    refuse(index)
    page = client.get("/refused").text

    assert EVIL not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2
    assert "The calling AE title is not on the list." in page
    assert "0xC000" in page
    assert "bytes not kept" in page


def test_the_page_says_that_nothing_was_refused(client: TestClient) -> None:
    page = client.get("/refused").text
    assert "Nobody was turned away." in page
    assert "Every object that came could be understood." in page
