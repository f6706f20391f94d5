"""`just soak-parts`: a random process is killed again and again while studies come, and every result arrives exactly once.

Listener, worker, its analysis and the web process run apart; each is killed -9 at a random instant after it serves and
started again, as a supervisor does. The archive is a real Orthanc that is asked for storage commitment. With `--postgres`
three workers share a PostgreSQL and a folder; its connections are cut too, and some workers stay away until the others have
taken what they had. With `--partitions N` each of these workers is a host of its own, with a network that fails N times.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cyclopts
from pydicom.uid import generate_uid
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import Progress

from service.dicom.destination import Caller, parse_destination
from service.dicom.sender import send
from service.errors import TryAgain
from service.store.index import Index
from service.store.records import ENDED, DeliveryState, State, StudyDetail
from tests.dicom.wire import an_image
from tests.journey.orthanc import AE_TITLE, Orthanc
from tests.journey.test_orthanc import saved
from tests.journey.waiting import free_port
from tests.validation import evidence
from tests.validation.engine.hosts import HERE, hosts
from tests.validation.engine.kills import CUT_OFF, PRETEND_S, Killer, Shared, Tally
from tests.validation.engine.parts import HEARTBEAT_S, TOGETHER, WORKERS, Parts
from tests.validation.engine.pretended import END, KINDS
from tests.validation.engine.server import Server, server

INSTANCES = 6
SEND_AGAIN_S = 0.5
PATIENCE_S = 300.0  # after the last kill everything must have ended by then


@dataclass(frozen=True, slots=True)
class Plan:
    """How many kills over how many studies, by when at the latest."""

    kills: int
    studies: int
    partitions: int
    deadline: float


def main(  # noqa: PLR0913 the options of a command
    kills: int = 300,
    studies: int = 60,
    minutes: float = 60.0,
    seed: int = 1,
    *,
    postgres: bool = False,
    partitions: int = 0,
    write: bool = True,
) -> None:
    """Kill `kills` times over `studies` studies, for at most `minutes`; figures go into docs/evidence.md.

    With `partitions` (and `postgres`) each worker is a host of its own, and one of them loses its network so many times.
    """
    console, started, tally = Console(), time.monotonic(), Tally()
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(console=console))
        bar = progress.add_task("Kills", total=kills)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        apart = stack.enter_context(hosts(WORKERS)) if postgres and partitions else None
        shared = stack.enter_context(server(TOGETHER, apart)) if postgres else None
        orthanc, parts = _started(stack, folder, shared)
        plan = Plan(kills, studies, partitions if apart else 0, started + 60 * minutes)
        index = stack.enter_context(Index.open(shared.index)) if shared else None
        modality = Modality(parts.port, folder, tally)
        killer = Killer(parts, random.Random(seed), tally, _shared(shared, index, modality))  # noqa: S311 instants, no secrets
        _kill_while_sending(killer, modality, tally, plan, lambda done: progress.update(bar, completed=done))
        parts.wait()
        index = index or stack.enter_context(Index.open(f"sqlite:///{parts.storage / 'index.sqlite'}"))
        tally.faults += _faults(parts, index, orthanc, tally.studies)
        figures = _figures(parts, tally)
    name = "soak-parts-postgres" if postgres else "soak-parts"
    options = (" --postgres" if postgres else "") + (f" --partitions {partitions}" if apart else "")
    body = f"{evidence.stamp(f'just soak-parts{options}', time.monotonic() - started)}\n\n{figures}"
    console.print(Markdown(body))
    if write:
        evidence.replace(name, body)
    sys.exit(1 if tally.faults else 0)


def _shared(server: Server | None, index: Index | None, modality: Modality) -> Shared | None:
    return Shared(server, index, modality.send_one) if server and index else None


def _started(stack: ExitStack, folder: Path, shared: Server | None) -> tuple[Orthanc, Parts]:
    """The archive and the parts, which end with `stack`."""
    port = free_port()
    orthanc = Orthanc(folder / "orthanc", port)
    orthanc.start()
    stack.callback(orthanc.stop)
    parts = Parts(
        folder / "service",
        f"{AE_TITLE}@{HERE if shared and shared.hosts else '127.0.0.1'}:{orthanc.port}",
        port=port,
        verify="commitment",
        pretend_s=PRETEND_S if shared else 0.5,
        shared=shared,
    )
    stack.callback(parts.stop)
    parts.start()
    return orthanc, parts


class Modality:
    """Sends studies, and again what was not acknowledged, for as long as it takes."""

    def __init__(self, port: int, folder: Path, tally: Tally) -> None:
        self._port = port
        self._folder = folder
        self._tally = tally
        self._senders: list[threading.Thread] = []

    def send_one(self) -> None:
        """Begin with another study."""
        study = str(generate_uid(prefix=None))  # short: series have a number behind it
        self._tally.studies.append(study)
        place = self._folder / "sent" / study
        place.mkdir(parents=True)
        changes = {"PatientID": f"SOAK-{len(self._tally.studies)}"}
        paths = [saved(an_image(changes=changes, study=study), place) for _ in range(INSTANCES)]
        self._senders.append(threading.Thread(target=_send, args=(paths, self._port), daemon=True))
        self._senders[-1].start()

    def end(self) -> None:
        """Return when all is acknowledged."""
        for sender in self._senders:
            sender.join()


def _kill_while_sending(killer: Killer, modality: Modality, tally: Tally, plan: Plan, show: Callable[[int], None]) -> None:
    """Let studies come evenly over the kills, then leave all in peace."""
    while tally.kills.total() < plan.kills and time.monotonic() < plan.deadline:
        if tally.kills.total() * plan.studies >= len(tally.studies) * plan.kills:
            modality.send_one()
        if tally.kills[CUT_OFF] * plan.kills < tally.kills.total() * plan.partitions:
            killer.cut_off()
        else:
            killer.kill()
        show(tally.kills.total())
    modality.end()


def _send(paths: Sequence[Path], port: int) -> None:
    left, listener = list(paths), parse_destination("service", f"CRYOMARGIN@127.0.0.1:{port}")
    while left:
        try:
            answers = send(left, listener, Caller("MODALITY", 20.0))
            left = [path for path, one in zip(left, answers, strict=True) if one.error is not None]
        except TryAgain:
            time.sleep(SEND_AGAIN_S)


def _faults(parts: Parts, index: Index, orthanc: Orthanc, studies: Sequence[str]) -> list[str]:
    """What is not as it must be, one sentence each."""
    deadline, faults = time.monotonic() + PATIENCE_S, []
    for number, uid in enumerate(studies, start=1):
        while not _has_ended(detail := index.study(uid)) and time.monotonic() < deadline:
            time.sleep(0.5)
        faults += [f"study {number}: {fault}" for fault in _wrong(detail, orthanc)]
    ended = Counter(name for word, name in parts.analyses() if word == END)
    faults += [f"{name} was analysed {count} times to the end" for name, count in ended.items() if count > 2]
    return faults


def _has_ended(detail: StudyDetail | None) -> bool:
    return detail is not None and detail.summary.state in ENDED


def _wrong(detail: StudyDetail | None, orthanc: Orthanc) -> list[str]:
    if detail is None:
        return ["it is not known"]
    made = {one.sop_instance_uid for one in detail.outputs}
    all_made = {one.sop_instance_uid for one in detail.deliveries}
    there = orthanc.instances(detail.summary.study_instance_uid)
    newest = {one.state for one in detail.deliveries if one.sop_instance_uid in made}
    checks = {
        f"it is {detail.summary.state}: {detail.summary.sentence}": detail.summary.state is State.DONE,
        f"{detail.summary.instances} of {INSTANCES} instances are there": detail.summary.instances == INSTANCES,
        f"the result has {len(made)} objects": len(made) == len(KINDS),
        f"the result is of {detail.result_version}": detail.result_version == detail.summary.content_version,
        f"its deliveries are {sorted(newest)}": newest == {DeliveryState.VERIFIED},
        "the archive does not hold its newest result": made <= set(there),
        "the archive holds what was never made": set(there) <= all_made,
        "the archive holds an object twice": len(there) == len(set(there)),
    }
    return [fault for fault, held in checks.items() if not held]


def _figures(parts: Parts, tally: Tally) -> str:
    notes = list(parts.analyses())
    ended = Counter(name for word, name in notes if word == END)
    rows = [
        (
            "kill -9 at random instants" + (", and connections that were cut" if tally.kills["holder"] else ""),
            f"{tally.kills.total()}: " + ", ".join(f"{n} {who}" for who, n in tally.kills.most_common()),
        ),
        ("studies, all done, verified by storage commitment or C-FIND, each result once in Orthanc", len(tally.studies)),
        ("analyses begun / ended / versions of content", f"{len(notes) - ended.total()} / {ended.total()} / {len(ended)}"),
        ("ended analyses that were repeated (once each)", sum(count > 1 for count in ended.values())),
        *_taken_over(tally),
        *(
            (f"{name}: from its start to serving again, median and longest", _seconds(part.serving))
            for name, part in parts.all.items()
        ),
        ("faults", "; ".join(tally.faults) or "none"),
    ]
    return evidence.table(("what", "result"), rows)


def _taken_over(tally: Tally) -> list[tuple[str, str]]:
    what = f"from the death of a worker until others had its work, median and longest (heartbeat {HEARTBEAT_S:g} s, limit 3)"
    far = "from the loss of a worker's network until others had its work, median and longest"
    rows = [(what, _seconds(tally.taken_s))] if tally.kills["holder"] else []
    return rows + ([(far, _seconds(tally.far_s))] if tally.kills[CUT_OFF] else [])


def _seconds(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} s, {max(values):.1f} s ({len(values)} times)" if values else "never"


if __name__ == "__main__":
    cyclopts.run(main)
