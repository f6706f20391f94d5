"""`just bench-index`: a large index beside an empty one, on SQLite: what the API answers and how fast instances are taken in.

The rows are made in bulk, as the service would have made them; then both indexes are asked and filled in turn.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import cyclopts
import structlog
from fastapi.testclient import TestClient
from pydicom.uid import generate_uid
from rich.console import Console
from rich.markdown import Markdown
from sqlalchemy import insert

from service.dicom.header_scan import read_header
from service.dicom.reception import SUCCESS, Offered, Reception
from service.store.files import Files
from service.store.index import Index
from service.store.quarantine import USUAL_BOUNDS, Quarantine
from service.store.records import DeliveryState, State
from service.store.schema import association, association_study, delivery, event, instance, made, study, version
from service.web.app import create_app
from service.web.info import DestinationInfo, ServiceInfo
from tests.dicom.wire import EXPLICIT, MR, an_image, encode
from tests.store.builders import arrival
from tests.validation import evidence

GOAL_MS = 200
START = datetime(2026, 1, 1, tzinfo=UTC)
ROUTES = {
    "list of studies": "/api/v1/studies?limit=50",
    "the last page of the list": "/api/v1/studies?limit=50&offset={last}",
    "list of the finished": "/api/v1/studies?limit=50&state=done",
    "page of 500": "/api/v1/studies?limit=500",
    "one study": "/api/v1/studies/{uid}",
    "numbers of the service": "/api/v1/service",
    "destinations": "/api/v1/destinations",
    "metrics": "/metrics",
}


def main(*, studies: int = 10_000, instances: int = 1_000_000, repeats: int = 20, rounds: int = 15) -> None:
    """Fill an index with `instances` in `studies`, ask and fill it beside an empty one; writes docs/evidence.md."""
    started = time.monotonic()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(prefix="cryomargin-bench-") as place:
        folder = Path(place)
        with Index.open(f"sqlite:///{folder}/large.sqlite") as large, Index.open(f"sqlite:///{folder}/empty.sqlite") as empty:
            fill(large, studies, instances // studies)
            answers = list(_answers(large, studies, repeats))
            taken = list(_taken(folder, large, empty, rounds))
            size = (folder / "large.sqlite").stat().st_size
    text = "\n\n".join(
        [
            evidence.stamp("just bench-index", time.monotonic() - started),
            f"{instances} instances in {studies} studies, SQLite, {size / 1e9:.1f} GB. Goal: {GOAL_MS} ms; 0.90.",
            evidence.table(("question to the API", "median (ms)", "slowest (ms)", "processor time (ms)"), answers),
            evidence.table(("taking in, 50 instances in turn", "large : empty, median", "quartiles"), taken),
        ]
    )
    Console().print(Markdown(text))
    evidence.replace("index", text)


def fill(index: Index, studies: int, each: int) -> None:
    """As many finished studies with so many instances, four objects made of each and delivered."""
    for first in range(0, studies, 500):
        with index._database.write() as connection:
            for number in range(first, min(studies, first + 500)):
                for table, rows in _study(number, each).items():
                    connection.execute(insert(table), rows)


def _study(number: int, each: int) -> dict[Any, list[dict[str, Any]]]:
    uid, at = f"1.2.826.0.1.3680043.10.2.{number}", START + timedelta(minutes=number)
    content = hashlib.sha256(uid.encode()).hexdigest()[:12]
    named = {"study_instance_uid": uid, "content_version": content}
    objects = [f"{uid}.900.{position}" for position in range(4)]
    return {
        study: [
            {**named, "patient_id": f"P{number // 2}", "state": State.DONE, "first_received_at": at, "last_received_at": at}
        ],
        instance: [_instance(uid, order, at) for order in range(each)],
        association: [{"id": uid, "peer": "192.0.2.1:1", "calling_ae": "PACS", "opened_at": at, "closed_at": at}],
        association_study: [{"association_id": uid, "study_instance_uid": uid}],
        version: [{**named, "ordinal": 1, "attempt": 1, "up_to": 2**31 - 1, "closed_at": at, "state": State.DONE}],
        event: [{"study_instance_uid": uid, "at": at, "word": word, "sentence": "A sentence."} for word in ("a", "b", "c")],
        made: [
            {**named, "sop_instance_uid": made_uid, "position": position, "role": "sr", "sop_class_uid": MR}
            | {"content_key": f"made/{made_uid}", "size": 1000, "current": True}
            for position, made_uid in enumerate(objects)
        ],
        delivery: [
            {"sop_instance_uid": made_uid, "destination": "archive", "state": DeliveryState.VERIFIED} for made_uid in objects
        ],
    }


def _instance(study_uid: str, order: int, at: datetime) -> dict[str, Any]:
    name = uuid.uuid4().hex
    return {
        "study_instance_uid": study_uid,
        "series_instance_uid": f"{study_uid}.{order // 25}",
        "sop_instance_uid": f"{study_uid}.{order // 25}.{name[:8]}{order}",
        "sop_class_uid": MR,
        "transfer_syntax_uid": EXPLICIT,
        "modality": "MR",
        "series_number": order // 25,
        "series_description": "T1 portal venous",
        "content_key": f"received/{name[:2]}/{name}.dcm",
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "size": 180_000,
        "calling_ae": "PACS",
        "association_id": study_uid,
        "received_at": at,
        "relevant": True,
        "conflict": False,
        "lost": False,
        "reason_ignored": "",
    }


def _answers(index: Index, studies: int, repeats: int) -> Iterator[tuple[str, ...]]:
    info = ServiceInfo("bench", destinations=(DestinationInfo("archive", "PACS@192.0.2.1:104"),))
    with TestClient(create_app(index, info)) as client:
        for name, route in ROUTES.items():
            path = route.format(last=studies - 50, uid="1.2.826.0.1.3680043.10.2.7")
            ask = partial(_ask, client, path)
            times = [_timed(ask) * 1000 for _ in range(repeats)]
            work = [_timed(ask, time.process_time) * 1000 for _ in range(repeats)]
            yield name, f"{median(times):.0f}", f"{max(times):.0f}", f"{median(work):.0f}"


def _ask(client: TestClient, path: str) -> None:
    client.get(path).raise_for_status()


def _taken(folder: Path, large: Index, empty: Index, rounds: int) -> Iterator[tuple[str, str, str]]:
    """The rate with the large index as a ratio to that with the empty one: rows alone, and durable instances."""
    files = Files(folder / "content")
    for name, store in (("as the listener does: file, fsync, row", _store(files)), ("rows alone", _rows)):
        ratios = []
        for number in range(rounds):
            pair = [large, empty] if number % 2 else [empty, large]
            seconds = {index: store(index) for index in pair}
            ratios.append(seconds[empty] / seconds[large])
        ratios.sort()
        yield name, f"{median(ratios):.2f}", f"{ratios[len(ratios) // 4]:.2f} to {ratios[-1 - len(ratios) // 4]:.2f}"


def _rows(index: Index) -> float:
    study_uid = f"1.2.826.0.1.3680043.10.1.{time.time_ns()}"
    rows = [arrival(study=study_uid) for _ in range(200)]
    rows = [replace(row, sop_instance_uid=generate_uid(), sha256=row.key) for row in rows]
    return _timed(lambda: [index.add_instance(row) for row in rows])


def _store(files: Files) -> Callable[[Index], float]:
    def store(index: Index) -> float:
        quarantine = Quarantine(files, index, USUAL_BOUNDS, 0)
        reception = Reception(files, index, read_header, lambda: datetime.now(UTC), 0, quarantine)
        study_uid = f"1.2.826.0.1.3680043.10.1.{time.time_ns()}"
        images = [an_image(generate_uid(), study=study_uid) for _ in range(50)]
        offers = [(Offered(MR, str(image.SOPInstanceUID), EXPLICIT), encode(image)) for image in images]
        return _timed(lambda: [_stored(reception, *offer) for offer in offers])

    return store


def _stored(reception: Reception, offered: Offered, dataset: bytes) -> bool:
    answer = reception.store(offered, dataset)
    if answer.status != SUCCESS:
        raise RuntimeError(f"refused with {answer.status:#06x}")
    return True


def _timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    work()
    return clock() - started


if __name__ == "__main__":
    cyclopts.run(main)
