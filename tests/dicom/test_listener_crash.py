from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.dicom.reception import file_head
from service.store.files import Files
from service.store.index import Index
from tests.dicom import serve as serve_script
from tests.dicom.conftest import Station
from tests.dicom.wire import EXPLICIT, MR, STUDY, an_image, encode
from tests.validation.killing import kill_again_and_again

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


@pytest.mark.slow
def test_a_killed_listener_has_lost_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    """Kill -9 at random instants under eight senders; `just soak --receiving 200` does it for longer."""
    account = kill_again_and_again(tmp_path, 5, random.Random())  # noqa: S311 - instants, not secrets

    assert account.faults == ()
    assert account.acknowledged > 0
