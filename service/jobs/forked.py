"""Analyses in forks of one process that has its libraries loaded: the service's side; the other one is in `nursery`.

Loading takes seconds of processor time. Done once and beforehand no study waits for it, and none pays for it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from service.jobs.child import LOG_FILE
from service.jobs.messages import Request
from service.jobs.nursery import LARGEST
from service.jobs.process import Child, Ended, Limits, Progress, Wanted, ask, run_analysis, wait_for

log = structlog.get_logger("service")

KEPT_S = 900.0  # how long the process stays that nobody asks for anything: it holds some 200 MB
AGAIN_S = 10.0  # until it is begun once more where that failed
PATIENCE_S = 60.0  # for the first answer: it loads for seconds
MODULE = "service.jobs.nursery"
HERE = sys.platform == "linux"  # sockets that keep messages apart, and descriptors of processes


class Nursery:
    """At most one process that forks. It is begun by a thread that lives as long as this, because it dies with its thread."""

    def __init__(self, kept_s: float = KEPT_S) -> None:
        self._kept_s = kept_s
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._until = 0.0  # monotonic time at which nothing is expected any more
        self._forks = 0  # that run
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._tend, name="nursery", daemon=True)

    def start(self) -> None:
        """Begin to wait for what is expected."""
        self._thread.start()

    def stop(self) -> None:
        """End the process; the analyses that it began must have ended."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def expect(self) -> None:
        """An analysis will be asked for soon."""
        with self._changed:
            self._until = time.monotonic() + self._kept_s
            self._changed.notify_all()

    def run(self, request: Request, folder: Path, limits: Limits, progress: Progress, wanted: Wanted) -> Ended:
        """As `run_analysis`, in a fork; where that cannot be had, in a process that loads for itself."""
        ask(request, folder)
        (folder / LOG_FILE).touch(0o600)
        with self._counted():
            child = self._forked(folder)
            if child is not None:
                return wait_for(child, folder, limits, progress, wanted)
        return run_analysis(request, folder, limits, progress, wanted)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """The process stays as long as one that it began runs, and some time more."""
        with self._changed:
            self._forks += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._forks -= 1
                self._until = time.monotonic() + self._kept_s
                self._changed.notify_all()

    def _forked(self, folder: Path) -> Child | None:
        with self._changed:
            self._changed.wait_for(lambda: self._control is not None or self._stopped or not HERE, AGAIN_S)
            if self._control is None:
                return None
            try:
                control = self._control.dup()
            except OSError as fault:  # no descriptor is left
                _not_forked(fault.strerror)
                return None
        with control:
            return _fork(control, folder)

    def _tend(self) -> None:
        with self._changed:
            while not self._stopped:
                self._changed.wait(self._as_expected())
            self._end()

    def _as_expected(self) -> float | None:
        """Have a process, or none; gives for how long (s) that is right, None for as long as nothing changes."""
        left = self._until - time.monotonic()
        if self._forks == 0 and left <= 0.0:
            self._end()
            return None
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._process is None and HERE and not self._begin():
            return AGAIN_S
        return None if self._forks else left

    def _begin(self) -> bool:
        """Start the process; False when the machine does not let us now."""
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as fault:  # no descriptor is left
            return _not_started(fault)
        command = [sys.executable, "-m", MODULE, str(os.getpid()), str(theirs.fileno())]
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 our own interpreter
                    command, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), start_new_session=True
                )
            except OSError as fault:
                ours.close()
                return _not_started(fault)
        self._control = ours
        self._changed.notify_all()
        return True

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _not_started(fault: OSError) -> bool:
    log.warning("nursery_not_started", reason=fault.strerror)
    return False


class Fork:
    """A process that the nursery began, as `subprocess.Popen` shows one."""

    def __init__(self, pid: int, handle: int, replies: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._handle = handle
        self._replies = replies

    def poll(self) -> int | None:
        """The exit status once it ended; None before."""
        if self.returncode is None:
            self._replies.setblocking(False)
            with suppress(BlockingIOError):
                self._hear()
        return self.returncode

    def kill(self) -> None:
        """SIGKILL, and nobody else is hit when it has ended already."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def wait(self) -> int:
        """Until it ended; gives the exit status."""
        if self.returncode is None:
            self._replies.setblocking(True)
            self._hear()
        return self.returncode if self.returncode is not None else -signal.SIGKILL

    def _hear(self) -> None:
        """The exit status; when the nursery died, the kernel killed what it began."""
        status = self._replies.recv(LARGEST)
        self.returncode = int(status) if status else -signal.SIGKILL
        self._replies.close()
        os.close(self._handle)


def _not_forked(reason: str | None) -> None:
    log.warning("not_forked", reason=reason)


def _fork(control: socket.socket, folder: Path) -> Child | None:
    """Ask for a fork that analyses in `folder`; None when the process that forks is dead, or the machine lets it have none."""
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError as fault:  # no descriptor is left
        _not_forked(fault.strerror)
        return None
    try:
        reading, writing = os.pipe()
    except OSError as fault:
        ours.close()
        theirs.close()
        _not_forked(fault.strerror)
        return None
    try:
        with theirs:
            socket.send_fds(control, [os.fsencode(folder)], [writing, theirs.fileno()])
        ours.settimeout(PATIENCE_S)
        told, handles, _, _ = socket.recv_fds(ours, LARGEST, 1)
    except OSError:
        told, handles = b"", []
    finally:
        os.close(writing)
    if told and handles:
        return Child(Fork(int(told), handles[0], ours), reading)
    _not_forked(told.decode() or "the process that forks does not answer")
    ours.close()
    os.close(reading)
    return None
