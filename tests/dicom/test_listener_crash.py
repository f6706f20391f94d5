from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.dicom.header_scan import read_header
from service.dicom.reception import file_head
from service.store.files import Files
from service.store.index import Index
from tests.dicom import serve as serve_script
from tests.dicom.conftest import Station
from tests.dicom.wire import EXPLICIT, MR, STUDY, Sender, an_image, encode, eventually

Serve = Callable[..., Station]
JPEG_2000 = "1.2.840.10008.1.2.4.90"


def test_what_a_crash_left_behind_is_put_right_at_the_start(serve: Serve, files: Files, index: Index) -> None:
    """A part file, a file without its row, an association that nobody closed."""
    (files.root / "incoming" / "old.part").write_bytes(b"half")
    with files.receive() as incoming:
        incoming.write(file_head(MR, "1.2.3", EXPLICIT) + encode(an_image("1.2.3")))
        incoming.commit()
    index.association_opened("old", "10.0.0.1:1", "SCANNER", serve_script.now())
    with capture_logs() as logs:
        serve()

    (recovered,) = [entry for entry in logs if entry["event"] == "recovered"]
    assert (recovered["part_files"], recovered["added"]) == (1, 1)
    assert [stored.sop_instance_uid for stored in index.instances(STUDY)] == ["1.2.3"]
    assert index.counts().open_associations == 0


class Victim:
    """A listener process that gets killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "port").unlink(missing_ok=True)
        self.process = subprocess.Popen([sys.executable, serve_script.__file__, str(folder)], stdout=subprocess.DEVNULL)
        assert eventually((folder / "port").exists, 60)
        self.address = ("127.0.0.1", int((folder / "port").read_text()))

    def kill(self) -> None:
        """As the kernel does when memory runs out."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def victims(tmp_path: Path) -> Iterator[Callable[[], Victim]]:
    started: list[Victim] = []

    def start() -> Victim:
        started.append(Victim(tmp_path))
        return started[-1]

    yield start
    for victim in started:
        if victim.process.poll() is None:
            victim.kill()


def send_until_it_dies(victim: Victim, acknowledged: dict[str, bytes]) -> None:
    """Store new instances one after the other and note those that were acknowledged."""
    with Sender(victim.address) as sender:
        while sender.association.is_established:
            image = an_image()
            content = encode(image)
            answer = sender.send(content, image.SOPInstanceUID)
            if answer is None:
                return
            if answer.Status == 0x0000:
                acknowledged[str(image.SOPInstanceUID)] = content


@pytest.mark.slow
def test_a_killed_listener_has_lost_nothing_that_it_acknowledged(victims: Callable[[], Victim], tmp_path: Path) -> None:
    """Kill -9 at random instants under load, three times over the same store."""
    acknowledged: dict[str, bytes] = {}
    for _ in range(3):
        victim = victims()
        threads = [threading.Thread(target=send_until_it_dies, args=(victim, acknowledged)) for _ in range(3)]
        for thread in threads:
            thread.start()
        enough = len(acknowledged) + 5
        assert eventually(lambda enough=enough: len(acknowledged) >= enough, 60)  # type: ignore[misc]
        time.sleep(random.random())  # noqa: S311 - an instant, not a secret
        victim.kill()
        for thread in threads:
            thread.join(60)

    files = Files(tmp_path / "content")
    with Index.open(f"sqlite:///{tmp_path}/index.db") as index:
        index.reconcile(files, read_header)
        stored = {instance.sop_instance_uid: instance for instance in index.instances(STUDY)}
    assert acknowledged.keys() <= stored.keys()
    for uid, content in acknowledged.items():
        assert files.path(stored[uid].key).read_bytes() == file_head(MR, uid, EXPLICIT) + content
    assert {instance.key for instance in stored.values()} == set(files.received_keys())
