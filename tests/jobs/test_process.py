"""The watch over an analysis process, with children that misbehave in every way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from service.errors import TryAgain
from service.jobs.child import LOG_FILE
from service.jobs.job import Interrupted
from service.jobs.messages import Request
from service.jobs.process import LOG_KEPT, LOG_LIMIT, Command, Ended, Limits, run_analysis, sweep, work_folder

REQUEST = Request((), "abc", datetime(2024, 1, 1, tzinfo=UTC))
ANSWER = r"""(folder / "answer.json").write_text('{"code": "c", "sentence": "s"}')"""


def child(*lines: str) -> Command:
    """A child that runs these lines of Python, knowing `folder`, `parent` and `pipe`."""
    text = textwrap.dedent("\n".join(lines))
    head = (
        "import sys, os, time, pathlib\nfolder, parent, pipe = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])\n"
    )
    return lambda folder, parent, pipe: [sys.executable, "-c", head + text, str(folder), str(parent), str(pipe)]


def run(folder: Path, command: Command, limits: Limits | None = None, heard: list[tuple[str, int]] | None = None) -> Ended:
    """Run it with a note of the progress."""
    note = [] if heard is None else heard
    return run_analysis(
        REQUEST, folder, limits or Limits(), lambda stage, percent: note.append((stage, percent)), lambda: None, command
    )


def test_an_answer_is_read_and_progress_is_heard(tmp_path: Path) -> None:
    heard: list[tuple[str, int]] = []
    talk = r"""os.write(pipe, b'["read", 10]\n["align", 20]\n')"""
    ended = run(tmp_path, child(talk, ANSWER), heard=heard)
    assert ended.answer is not None
    assert (ended.answer.code, ended.answer.sentence, ended.fault) == ("c", "s", "")
    assert heard == [("read", 10), ("align", 20)]


def test_a_child_that_closes_its_progress_early_is_still_watched(tmp_path: Path) -> None:
    ended = run(tmp_path, child("os.close(pipe)", "time.sleep(0.3)", ANSWER))
    assert ended.fault == ""


def test_a_crash_in_native_code_names_the_signal(tmp_path: Path) -> None:
    ended = run(tmp_path, child("os.kill(os.getpid(), 11)"))
    assert (ended.answer, ended.fault) == (None, "The analysis was ended by signal SIGSEGV.")


def test_an_exception_gives_its_last_line(tmp_path: Path) -> None:
    ended = run(tmp_path, child("raise RuntimeError('deep inside')"))
    assert ended.fault == "The analysis failed (exit status 1): RuntimeError: deep inside"


def test_a_machine_without_room_for_a_process_is_asked_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs time, no attempt, and leaves no descriptor behind."""

    def no_room(*_given: object, **_named: object) -> NoReturn:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", no_room)
    before = sorted(Path("/proc/self/fd").iterdir())
    with pytest.raises(TryAgain, match="no room for its process \\(Resource temporarily unavailable\\)"):
        run(tmp_path, child(ANSWER))
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_too_much_memory_ends_the_child(tmp_path: Path) -> None:
    ended = run(tmp_path, child("hoard = b'x' * 400_000_000", "time.sleep(30)"), Limits(memory_mb=300))
    assert ended.fault == "The analysis needed more than 300 MB of memory."
    assert ended.peak_mb > 300
    assert ended.seconds < 20


def test_too_much_time_ends_the_child(tmp_path: Path) -> None:
    ended = run(tmp_path, child("time.sleep(30)"), Limits(timeout_s=0.5))
    assert ended.fault == "The analysis took longer than 0.5 s."


def test_too_much_processor_time_ends_the_child(tmp_path: Path) -> None:
    """By the kernel: it holds on every core, and even if the worker sleeps."""
    ended = run(tmp_path, child("while True: pass"), Limits(processor_s=1.0))
    assert ended.fault == "The analysis used more than 1 s of processor time."


def test_the_end_of_what_it_wrote_is_kept(tmp_path: Path) -> None:
    ended = run(tmp_path, child("print('x' * 20_000)", "print('last \\x1b[31mwords')", ANSWER))
    assert ended.output.endswith("last  [31mwords")
    assert len(ended.output) <= LOG_KEPT


def test_a_child_that_never_stops_writing_does_not_fill_the_disk(tmp_path: Path) -> None:
    lines = ("end = time.monotonic() + 2", "while time.monotonic() < end: sys.stdout.write('x' * 100_000)", ANSWER)
    run(tmp_path, child(*lines))
    assert (tmp_path / LOG_FILE).stat().st_size < 100 * LOG_LIMIT


def test_a_stop_ends_the_child_and_is_no_fault(tmp_path: Path) -> None:
    """The job goes on at the next start, so nothing of it may look like a failure."""
    until = time.monotonic() + 0.5

    def wanted() -> None:
        if time.monotonic() > until:
            raise Interrupted

    with pytest.raises(Interrupted):
        run_analysis(REQUEST, tmp_path, Limits(), lambda _stage, _percent: None, wanted, child("time.sleep(30)"))


def test_a_work_folder_is_gone_afterwards(tmp_path: Path) -> None:
    with work_folder(tmp_path / "work") as folder:
        (folder / "x").write_text("x")
    assert list((tmp_path / "work").iterdir()) == []


def test_what_a_killed_worker_left_is_swept_and_nothing_of_those_that_live(tmp_path: Path) -> None:
    """It holds images of patients; several workers may share the folder."""
    killed = os.fork()
    if killed == 0:
        with work_folder(tmp_path):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(killed, 0)
    for name in ("analysis-old", "analysis-unknown"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "analysis-old", times=(0, 0))
    with work_folder(tmp_path) as folder:
        assert len(list(tmp_path.iterdir())) == 4
        assert sweep(tmp_path) == 2
        assert set(tmp_path.iterdir()) == {folder, tmp_path / "analysis-unknown"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux")
def test_the_child_dies_with_its_worker(tmp_path: Path) -> None:
    """A worker that is killed must not leave an analysis behind that eats the machine."""
    note = tmp_path / "pid"
    grandchild = (
        "import os, sys, time, pathlib\n"
        "from service.jobs.limits import die_with_parent\n"
        "die_with_parent(int(sys.argv[1]))\n"
        f"pathlib.Path({str(note)!r}).write_text(str(os.getpid()))\n"
        "time.sleep(60)\n"
    )
    worker = f"import os, subprocess, sys\nsubprocess.run([sys.executable, '-c', {grandchild!r}, str(os.getpid())])"
    process = subprocess.Popen([sys.executable, "-c", worker])
    wait_for_text(note)
    process.kill()
    process.wait()
    wait_until_gone(int(note.read_text()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sessions as Linux has them")
def test_what_an_analysis_began_ends_with_it(tmp_path: Path) -> None:
    """A network's program would hold the processor for hours more, and the next analysis beside it."""
    note = tmp_path / "pid"
    begin = f"import subprocess; pathlib.Path({str(note)!r}).write_text(str(subprocess.Popen(['sleep', '60']).pid))"

    def wanted() -> None:
        if note.exists() and note.read_text():
            raise Interrupted

    with pytest.raises(Interrupted):
        run_analysis(REQUEST, tmp_path, Limits(), lambda _stage, _percent: None, wanted, child(begin, "time.sleep(60)"))
    wait_until_gone(int(note.read_text()))
    note.unlink()
    assert run(tmp_path, child(begin, ANSWER)).fault == ""
    wait_until_gone(int(note.read_text()))


def wait_for_text(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline, f"process {pid} outlived its worker"
        time.sleep(0.05)
    assert os.getpid() != pid
