"""Kill the listener at random instants while senders are at work, and account for every instance afterwards.

`just soak --receiving 200` is the long run; the gate does a few. The listener is forked from a process that has everything
imported, so that nearly all of the time is spent receiving.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from service.dicom.header_scan import read_header
from service.dicom.reception import file_head
from service.store.files import Files
from service.store.index import Index
from tests.benchmarks.pump import PLACE, Message, Pump, data_set, uid_of
from tests.dicom.wire import EXPLICIT, MR, STUDY
from tests.journey.waiting import eventually
from tests.validation import evidence

SENDERS = 8
LATEST_S = 0.8
DATA = data_set(182_000)
_RECOVERED = re.compile(rb"recovered .*?added=(\d+).*?part_files=(\d+)")


@dataclass(slots=True)
class Ledger:
    """What the senders know: the numbers of instances that went out, and of those that were acknowledged."""

    sent: set[int] = field(default_factory=set)
    acknowledged: set[int] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Account:
    """What was found after the last start."""

    kills: int
    acknowledged: int
    unacknowledged: int  # stored whole, but the listener died before its answer arrived
    swept: int
    rows_given_back: int
    faults: tuple[str, ...]


def kill_again_and_again(folder: Path, kills: int, chance: random.Random) -> Account:
    """Send from eight associations, kill, start again, as often as asked; then compare what is there with what was said."""
    ledger, numbers = Ledger(), itertools.count(1)
    with _victims(folder) as start:
        for _ in range(kills):
            pid, port = start()
            threads = [threading.Thread(target=_send, args=(port, numbers, ledger)) for _ in range(SENDERS)]
            for thread in threads:
                thread.start()
            time.sleep(chance.uniform(0.0, LATEST_S))
            os.kill(pid, signal.SIGKILL)
            for thread in threads:
                thread.join()
        pid, port = start()  # it puts right what the last kill left
        lost = sorted(ledger.sent - ledger.acknowledged)
        _send(port, iter(lost), ledger)  # as a sender does that heard nothing: nothing may come twice
        os.kill(pid, signal.SIGKILL)
    said = _RECOVERED.findall((folder / "log").read_bytes())
    return _account(folder, kills, ledger, lost, [(int(added), int(parts)) for added, parts in said])


def soak(kills: int, seed: int, *, write: bool) -> None:
    """The long run: print the figures and put them into docs/evidence.md; the exit status says whether all is well."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="killing-") as place:
        account = kill_again_and_again(Path(place), kills, random.Random(seed))  # noqa: S311 - instants, not secrets
    rows = [
        (f"kill -9 of the listener under {SENDERS} senders", account.kills),
        ("instances acknowledged before the kills, all there, each once", account.acknowledged),
        ("instances on their way when it died, taken when they came again, each once", account.unacknowledged),
        ("part files that a start swept", account.swept),
        ("whole files that a start gave their row back", account.rows_given_back),
        ("faults", "; ".join(account.faults) or "none"),
    ]
    stamp = evidence.stamp(f"just soak --receiving {kills}", time.monotonic() - started)
    body = f"{stamp}\n\n{evidence.table(('what', 'result'), rows)}"
    Console().print(Markdown(body))
    if write:
        evidence.replace("soak-receiving", body)
    sys.exit(1 if account.faults else 0)


def _account(folder: Path, kills: int, ledger: Ledger, lost: Sequence[int], said: Sequence[tuple[int, int]]) -> Account:
    files = Files(folder / "content")
    with Index.open(f"sqlite:///{folder}/index.db") as index:
        index.reconcile(files, read_header)
        stored, counts = index.instances(STUDY), index.counts()
    rows = Counter(one.sop_instance_uid for one in stored)
    keys = {one.key for one in stored}
    wrong = [one for one in stored if files.path(one.key).read_bytes() != _content(one.sop_instance_uid)]
    on_disk = set(files.received_keys())
    checks = {
        f"{len(ledger.refused)} were refused: {ledger.refused[:1]}": not ledger.refused,
        "an acknowledged instance is missing": all(rows[uid_of(number)] for number in ledger.acknowledged),
        "an instance that was not acknowledged was not taken when it came again": ledger.sent == ledger.acknowledged,
        "an instance is there twice": max(rows.values(), default=1) == 1 and not counts.conflicts,
        f"{len(wrong)} files under a final name are not what was sent": not wrong,
        "a file has no row, or a row no file": on_disk == keys,
        "a part file was left": not any((files.root / "incoming").iterdir()) or bool(files.sweep()),
        f"{len(said)} starts said what they put right": len(said) == kills + 1,
    }
    first_time = len(ledger.acknowledged) - len(lost)
    given_back = sum(added for added, _ in said)
    faults = tuple(fault for fault, held in checks.items() if not held)
    return Account(kills, first_time, len(lost), sum(parts for _, parts in said), given_back, faults)


def _content(uid: str) -> bytes:
    return file_head(MR, uid, EXPLICIT) + DATA.replace(PLACE.encode(), uid.encode())


def _send(port: int, numbers: Iterator[int], ledger: Ledger) -> None:
    """Store one new instance after the other until the connection is lost."""
    try:
        with Pump(port) as sender:
            message = Message.of(DATA, sender.longest)
            for number in numbers:
                ledger.sent.add(number)
                sender.store(message.numbered(number))
                ledger.acknowledged.add(number)
            sender.release()
    except OSError:
        return
    except RuntimeError as refused:
        ledger.refused.append(str(refused))


class _Start:
    def __init__(self, folder: Path, zygote: subprocess.Popen[bytes]) -> None:
        self._folder, self._zygote = folder, zygote

    def __call__(self) -> tuple[int, int]:
        """A new listener over the same store: its process and its port."""
        assert self._zygote.stdin
        port = self._folder / "port"
        port.unlink(missing_ok=True)
        self._zygote.stdin.write(b"\n")
        self._zygote.stdin.flush()
        eventually(port.exists, bool)
        number, pid = port.read_text().split()
        return int(pid), int(number)


@contextmanager
def _victims(folder: Path) -> Iterator[_Start]:
    command = [sys.executable, "-m", "tests.validation.victim", str(folder)]
    with (folder / "log").open("ab") as log:
        zygote = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        yield _Start(folder, zygote)
    finally:
        assert zygote.stdin
        zygote.stdin.close()
        zygote.wait()
