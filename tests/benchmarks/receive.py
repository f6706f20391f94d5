"""`just bench-receive`: how fast we receive beside storescp and Orthanc, and what silent and many peers cost.

All receivers run at the same time and take turns, so that whatever else the machine does meets each of them; a ratio is the
median of the ratios of the turns. The peers are started with TCP_NODELAY=1 unless the line says otherwise.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cyclopts
from rich.console import Console
from rich.markdown import Markdown

from service.dicom.reception import file_head
from tests.benchmarks import breakdown
from tests.benchmarks.pump import PLACE, Pump, data_set, pump, self_signed, storm, trusting, uid_of
from tests.benchmarks.receivers import AE_TITLE, Receiver, orthanc, ours, storescp
from tests.dicom.raw import Raw, associate_request, echo
from tests.dicom.wire import EXPLICIT, MR
from tests.peers import require_program
from tests.validation import evidence

INSTANCE = 182_000  # bytes: an MR slice of 300 x 300
ENHANCED = 100_000_000
HUGE = 1_500_000_000
Start = Callable[[Path], AbstractContextManager[Receiver]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: `ours` and `theirs` with their unit, the median ratio with its range over the turns."""

    what: str
    goal: str
    ours: str
    theirs: str = ""
    ratio: str = ""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done: turns, instances on one association, bytes of the large objects, peers at once."""

    repeats: int = 5
    instances: int = 200
    enhanced: int = ENHANCED
    huge: int = HUGE
    peers: int = 200
    idle_s: float = 5.0


def main(repeats: int = 5, *, short: bool = False, only: str = "", write: bool = True, steps: bool = False) -> None:
    """Measure, print the table and put it into docs/evidence.md; `only` names one part, `short` only shows that it runs.

    With `steps` something else is measured: where the time of one instance goes.
    """
    if steps:
        _steps(write=write)
        return
    effort = Effort(1, 3, 300_000, 3_000_000, 5, 0.5) if short else Effort(repeats)
    console, started = Console(), time.monotonic()
    lines: list[Line] = []
    # Nothing is removed before the end: for minutes after it ext4 looks at each file that left before it makes a new one.
    with tempfile.TemporaryDirectory(prefix="receive-") as place:
        for name, part in PARTS.items():
            if only in ("", name):
                with console.status(f"Measuring: {name}"):
                    lines += part(_new_folder(Path(place) / name), effort)
    rows = [(line.what, line.goal, line.ours, line.theirs, line.ratio) for line in lines]
    table = evidence.table(("what", "goal", "cryomargin", "peer", "ratio (range)"), rows)
    body = f"{evidence.stamp('just bench-receive', time.monotonic() - started)} {effort.repeats} turns.\n\n{table}"
    console.print(Markdown(body))
    if write and not short and not only:
        evidence.replace("receive", body)


def _new_folder(place: Path) -> Path:
    """Empty, on a disk that has nothing left to write."""
    os.sync()
    place.mkdir()
    return place


def _steps(*, write: bool) -> None:
    started = time.monotonic()
    table = breakdown.measure(400)
    body = f"{evidence.stamp('just bench-receive --steps', time.monotonic() - started)}\n\n{table}"
    Console().print(Markdown(body))
    if write:
        evidence.replace("receive-steps", body)


def _durable(place: Path, effort: Effort) -> Iterator[Line]:
    """File, folder and row before the answer, as always."""
    with _running(place, ours, orthanc, storescp) as receivers:
        for associations, goal in ((1, 2.0), (8, 1.5), (16, 1.5)):
            speeds = _pumped(receivers, effort, associations)
            yield _speed(f"durable, {associations} at once", f">= {goal} x Orthanc", speeds, "Orthanc")
            yield _speed(f"durable, {associations} at once", "(it keeps nothing durable)", speeds, "storescp")


def _not_durable(place: Path, effort: Effort) -> Iterator[Line]:
    """Nothing synced and no row, only to compare with storescp, which does neither."""
    with _running(place, lambda folder: ours(folder, durable=False), storescp) as receivers:
        for associations, goal in ((1, 0.75), (8, 0.6)):
            speeds = _pumped(receivers, effort, associations)
            yield _speed(f"nothing durable, {associations} at once", f">= {goal} x storescp", speeds, "storescp")
        large = data_set(effort.enhanced)
        speeds = _turns(receivers, effort, lambda port: pump(port, large, 1, 1), effort.enhanced / INSTANCE)
        yield _speed("nothing durable, one object of 100 MB", ">= 0.85 x storescp", speeds, "storescp")


def _nagle(place: Path, effort: Effort) -> Iterator[Line]:
    """An untouched storescu, to peers that are untouched too; its own start counts for both."""
    count = max(2, effort.instances // 4)
    sources = place / "sources"
    sources.mkdir()

    def send(port: int) -> float:
        _write_files(sources, count)
        began = time.perf_counter()
        command = [require_program("storescu"), "-aec", AE_TITLE, "+sd", "127.0.0.1", str(port), str(sources)]
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - began

    starts: list[Start] = [ours, lambda folder: storescp(folder, nodelay=False), lambda folder: orthanc(folder, nodelay=False)]
    with _running(place, *starts) as receivers:
        speeds = _turns(receivers, effort, send, count)
        for name in ("storescp", "Orthanc"):
            yield _speed("from an untouched storescu (Nagle on)", f">= 10 x {name}", speeds, name)


def _small_things(place: Path, effort: Effort) -> Iterator[Line]:
    """What waiting costs, and how long somebody waits."""
    with _running(place, ours) as (receiver,):
        idle = [Pump(receiver.port) for _ in range(50)]
        before = receiver.processor_s()
        time.sleep(effort.idle_s)
        share = (receiver.processor_s() - before) / effort.idle_s
        yield Line("50 idle associations", "< 10 % of a core", f"{100 * share:.1f} %")
        for one in idle:
            one.release()
        times = [_echo_s(receiver) for _ in range(20 * effort.repeats)]
        yield Line("association and echo", "<= 5 ms", f"{1000 * statistics.median(times):.1f} ms")
        silent = [Raw(("127.0.0.1", receiver.port)).send(b"" if n % 2 else associate_request()[:60]) for n in range(25)]
        slowest = max(_echo_s(receiver) for _ in range(20))
        yield Line("the same beside 25 silent or half-said connections, slowest of 20", "< 1 s", f"{1000 * slowest:.1f} ms")
        for peer in silent:
            peer.close()


def _storm(place: Path, effort: Effort) -> Iterator[Line]:
    """Everybody at the same moment."""
    with _running(place, ours, orthanc) as receivers:
        speeds = _turns(receivers, effort, lambda port: storm(port, DATA, effort.peers), effort.peers)
        yield _speed(f"{effort.peers} associations at once, an instance each, all stored", "> Orthanc", speeds, "Orthanc")


def _memory(place: Path, effort: Effort) -> Iterator[Line]:
    """An object that is larger than what may be used to receive it."""
    with _running(place, ours) as (receiver,):
        sender = Pump(receiver.port)
        began = time.perf_counter()
        sender.store_large(effort.huge)
        seconds = time.perf_counter() - began
        sender.release()
        what = f"one object of {effort.huge / 1e9:.1f} GB, durable"
        yield Line(what, "<= 128 MB resident", f"{receiver.peak_mb():.0f} MB, {effort.huge / 1e6 / seconds:.0f} MB/s")


def _tls(place: Path, effort: Effort) -> Iterator[Line]:
    """The price of TLS, beside the same listener without."""
    certificate, context = self_signed(place), trusting()
    with _running(place, lambda folder: ours(folder, certificate=certificate), ours) as (secret, plain):
        speeds = _turns(
            [secret, Receiver("without TLS", plain.port, plain.pid)],
            effort,
            lambda port: pump(port, DATA, 1, effort.instances, context if port == secret.port else None),
            effort.instances,
        )
        yield _speed("durable, 1 association, TLS 1.3", "", speeds, "without TLS")


PARTS: dict[str, Callable[[Path, Effort], Iterator[Line]]] = {
    "durable": _durable,
    "not-durable": _not_durable,
    "nagle": _nagle,
    "small": _small_things,
    "storm": _storm,
    "memory": _memory,
    "tls": _tls,
}
DATA = data_set(INSTANCE)


@contextmanager
def _running(place: Path, *starts: Start) -> Iterator[list[Receiver]]:
    """Receivers side by side, each with a folder of its own."""
    with ExitStack() as stack:
        receivers = []
        for number, start in enumerate(starts):
            folder = place / f"receiver-{number}"
            folder.mkdir()
            receivers.append(stack.enter_context(start(folder)))
        yield receivers


def _turns(
    receivers: Sequence[Receiver], effort: Effort, send: Callable[[int], float], instances: float
) -> dict[str, list[float]]:
    """MB/s of each receiver in each turn; who begins changes from turn to turn."""
    speeds: dict[str, list[float]] = {receiver.name: [] for receiver in receivers}
    for turn in range(-1, effort.repeats):
        first = turn % len(receivers)
        for receiver in (*receivers[first:], *receivers[:first]):
            seconds = send(receiver.port)
            if turn >= 0:  # the turn before the first only warms up
                speeds[receiver.name].append(instances * INSTANCE / 1e6 / seconds)
    return speeds


def _pumped(receivers: Sequence[Receiver], effort: Effort, associations: int) -> dict[str, list[float]]:
    each = max(1, effort.instances // associations)
    return _turns(receivers, effort, lambda port: pump(port, DATA, associations, each), associations * each)


def _speed(what: str, goal: str, speeds: dict[str, list[float]], peer: str) -> Line:
    mine, theirs = speeds["cryomargin"], speeds[peer]
    ratios = [one / other for one, other in zip(mine, theirs, strict=True)]
    ratio = f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"
    return Line(what, goal, f"{statistics.median(mine):.0f} MB/s", f"{peer} {statistics.median(theirs):.0f} MB/s", ratio)


def _echo_s(receiver: Receiver) -> float:
    began = time.perf_counter()
    if not echo(("127.0.0.1", receiver.port)):
        raise RuntimeError("an echo was not answered")
    return time.perf_counter() - began


def _write_files(folder: Path, count: int) -> None:
    """Instances that nobody has seen before."""
    first = time.time_ns() // 1000
    for number in range(count):
        uid = uid_of((first + number) % 10**15)
        content = DATA.replace(PLACE.encode(), uid.encode())
        (folder / f"{number}.dcm").write_bytes(file_head(MR, uid, EXPLICIT) + content)


if __name__ == "__main__":
    cyclopts.run(main)
