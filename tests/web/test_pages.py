"""The pages show what the API answers, and nothing that could run."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.store.index import Index
from service.store.records import State
from service.web.app import create_app
from service.web.info import ServiceInfo
from tests.peers import require_program
from tests.web.conftest import receive
from tests.web.sample import AT, NOT_PREDICTIVE, RECEIVING, STUDY, VERDICT

VOID = {"meta", "link", "img", "br", "hr", "input"}
PAGES = ["/", f"/studies/{STUDY}", f"/studies/{RECEIVING}", "/refused", "/service", "/api", "/?state=failed"]


class Outline(HTMLParser):
    """What a page is made of: its tags, its addresses, and whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src", "action"}]
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """A tag closes: the one that was opened last."""
        assert tag == self.open.pop()


def outline(page: str) -> Outline:
    """The outline of a page whose tags are all closed in order."""
    found = Outline()
    found.feed(page)
    assert found.open == []
    return found


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_and_needs_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"accept": "text/html"})

    found = outline(answer.text)
    assert answer.status_code == 200
    assert all(address.startswith("/") and not address.startswith("//") for address in found.addresses)
    assert {"script", "style", "iframe"}.isdisjoint(found.tags)
    assert not any(name == "style" or name.startswith("on") for name in found.attributes)


@pytest.mark.parametrize("path", PAGES)
def test_every_link_leads_somewhere(client: TestClient, path: str) -> None:
    found = outline(client.get(path).text)

    assert {200} == {client.get(address).status_code for address in found.links}


@pytest.mark.parametrize("path", PAGES)
def test_every_page_says_what_it_is_for(client: TestClient, path: str) -> None:
    assert "For research use. Not for primary diagnosis; verify on the source images." in client.get(path).text


def test_the_list_shows_the_sentence(client: TestClient) -> None:
    page = text(client.get("/").text)

    assert VERDICT in page
    assert "All 2" in page
    assert "receiving 1" in page


def test_the_list_leads_to_the_next_page(client: TestClient, index: Index) -> None:
    for number in range(60):
        receive(index, f"1.2.3.{number}", 1)

    assert 'href="/?offset=50"' in client.get("/").text
    second = client.get("/?offset=50").text
    assert "51 to 62 of 62" in text(second)
    assert 'rel="prev" href="/"' in second
    assert 'href="/?state=receiving&amp;offset=50"' in client.get("/?state=receiving").text


def test_an_empty_service_says_where_to_send(tmp_path: Path, info: ServiceInfo) -> None:
    with Index.open(f"sqlite:///{tmp_path / 'empty.sqlite'}") as index:
        page = TestClient(create_app(index, info)).get("/").text

    assert "Nothing was received yet. Send a study to CRYOMARGIN@127.0.0.1:11112." in text(page)


def test_a_study_begins_with_its_verdict(client: TestClient) -> None:
    page = text(client.get(f"/studies/{STUDY}").text)

    order = [
        VERDICT,
        "What stands in the way",
        "Limits of this result",
        "Findings: Tumor 1",
        "Phases and their roles",
        "Timeline",
    ]
    places = [page.index(heading) for heading in order]
    assert sorted(places) == places


def test_a_study_shows_each_finding_with_answer_interval_and_reason(client: TestClient) -> None:
    page = text(client.get(f"/studies/{STUDY}").text)

    assert "Minimum ablation margin 2.4 mm 1.9 to 2.9 mm" in page
    assert "Bridging vessel not assessable None was seen, but 7 % of the margin could not be judged." in page
    assert NOT_PREDICTIVE in page
    assert "at L 12.5, A 40.0, S 88.2 mm" in page


def test_a_study_shows_phases_deliveries_and_conflicts(client: TestClient) -> None:
    page = text(client.get(f"/studies/{STUDY}").text)

    assert "portal venous reference 0.94 yes vessels are brightest; 70 s after contrast" in page
    assert "failed archive · status 0xA900 · the data set does not match" in page
    assert "Came again with other content; the first one is used" in page
    assert "Supersedes 2.25.99" in page


def test_what_came_over_the_wire_is_escaped(client: TestClient) -> None:
    """A series description is text by somebody else."""
    page = client.get(f"/studies/{STUDY}").text

    assert "&lt;b&gt;T1 VIBE&lt;/b&gt; portal venous" in page
    assert "<b>T1 VIBE" not in page


def test_an_old_result_is_not_shown_as_the_answer_while_images_come(client: TestClient, index: Index) -> None:
    receive(index, STUDY, 6)

    page = client.get(f"/studies/{STUDY}").text

    headline = re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)
    assert headline is not None
    assert VERDICT not in text(headline[1])
    assert "Earlier result" in page
    assert "Earlier findings: Tumor 1" in page


def test_a_failed_study_can_be_replayed_and_says_why(client: TestClient, index: Index) -> None:
    receive(index, "1.2.9", 1)
    version = index.close_version("1.2.9", AT).content_version
    index.set_state("1.2.9", version, State.FAILED, "The analysis took longer than 600 s.")

    page = client.get("/studies/1.2.9").text

    assert "The analysis took longer than 600 s." in page
    assert 'action="/studies/1.2.9/analyse"' in page


def test_a_study_at_work_renews_itself_and_shows_progress(client: TestClient, index: Index) -> None:
    receive(index, "1.2.9", 1)
    version = index.close_version("1.2.9", AT).content_version
    index.set_state("1.2.9", version, State.ANALYSING, "Being measured.")
    index.set_progress("1.2.9", version, "register_phases", 40)

    page = client.get("/studies/1.2.9").text

    assert 'http-equiv="refresh"' in page
    assert "register phases · 40 %" in text(page)
    assert "Analyse again" not in page
    assert 'http-equiv="refresh"' not in client.get("/studies/1.2.9?still=1").text


def test_a_finished_study_does_not_renew_itself(client: TestClient) -> None:
    assert 'http-equiv="refresh"' not in client.get(f"/studies/{STUDY}").text


def test_pages_work_under_a_prefix(index: Index, info: ServiceInfo) -> None:
    """A proxy may serve them below a path of its own."""
    client = TestClient(create_app(index, info), root_path="/cryo")

    found = outline(client.get("/").text)

    assert all(address.startswith("/cryo/") for address in found.addresses)


@pytest.mark.peer
def test_a_real_browser_draws_a_study(index: Index, info: ServiceInfo, tmp_path: Path) -> None:
    """Chromium applies the style sheet under the content security policy, and reports no violation of it."""
    chromium = require_program("chromium")
    with served(create_app(index, info)) as port:
        page = browse(chromium, f"http://127.0.0.1:{port}/studies/{STUDY}", tmp_path)

    assert "Content Security Policy" not in page.stderr
    assert (tmp_path / "page.png").stat().st_size > 20_000


@contextmanager
def served(app: FastAPI) -> Iterator[int]:
    """The application on a free port of loopback."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def browse(chromium: str, url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Draw the page into page.png; what the browser complained about is on stderr."""
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    offline = ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder / 'profile'}"]
    shot = ["--enable-logging=stderr", f"--screenshot={folder / 'page.png'}", "--window-size=1280,1600", url]
    return subprocess.run([chromium, *quiet, *offline, *shot], capture_output=True, text=True, timeout=60, check=True)


def text(page: str) -> str:
    """What a person reads."""
    without_tags = re.sub(r"<[^>]+>", " ", page)
    plain = re.sub(r"\s+", " ", without_tags).replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'")
    return re.sub(r" ([.,;])(?=\s|$)", r"\1", plain)


def test_the_web_starts_without_the_engine() -> None:
    """Nor with anything of DICOM's network: a process that only shows pages is small."""
    heavy = "{'dbos', 'pynetdicom', 'SimpleITK'}"
    code = f"import sys, service.web.app; sys.exit(bool({heavy} & {{name.split('.')[0] for name in sys.modules}}))"

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
