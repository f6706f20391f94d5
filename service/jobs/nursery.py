"""The process that forks analyses: `python -m service.jobs.nursery PARENT CONTROL`; the service's side is in `forked`.

It has one thread (and those of the linear algebra, which a fork begins anew) and has loaded what an analysis needs, so that
a fork begins at once. PARENT is the worker's process id, CONTROL a socket: each message is the folder of an analysis, with a
pipe for its progress and a socket for replies. The replies are the process id, with a descriptor of the process, and its exit
status once it ended; or why the machine lets us have none, without a descriptor. With CONTROL closed this process ends.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from service.jobs.child import LOG_FILE, perform
from service.jobs.limits import be_first_to_go, die_with_parent

LARGEST = 4096 + 1  # bytes of a message: a path


def main(arguments: list[str]) -> None:
    """Load, then serve until nobody asks any more."""
    gc.set_threshold(50_000, 20, 100)
    parent, control = map(int, arguments)
    die_with_parent(parent)
    load()
    gc.freeze()  # no fork looks for garbage in what all share: that would copy it
    with socket.socket(fileno=control) as asked, selectors.DefaultSelector() as watched:
        watched.register(asked, selectors.EVENT_READ)
        while _serve(asked, watched):
            pass


def load() -> None:
    """Import what an analysis needs."""
    import service.jobs.analysis
    import service.jobs.lacking
    import service.jobs.messages
    import service.report.compose  # noqa: F401 - for its drawing library, which is half of what is loaded


def _serve(asked: socket.socket, watched: selectors.BaseSelector) -> bool:
    """Begin what is asked for and tell what ended; False once nobody can ask."""
    for key, _ in watched.select():
        if key.fileobj is asked:
            folder, descriptors, _, _ = socket.recv_fds(asked, LARGEST, 2)
            if not folder:
                return False
            _asked(Path(os.fsdecode(folder)), descriptors, watched)
        else:
            watched.unregister(key.fileobj)
            os.close(key.fd)
            _tell(*key.data)
    return True


def _asked(folder: Path, descriptors: list[int], watched: selectors.BaseSelector) -> None:
    """Begin, or say why that cannot be: whoever asked then analyses without us, and the other forks go on."""
    if len(descriptors) != 2:  # this process has no room for more: the kernel closes what it drops, which is an answer
        for one in descriptors:
            os.close(one)
        return
    progress, replies = descriptors[0], socket.socket(fileno=descriptors[1])
    try:
        _begin(folder, progress, replies, watched)
    except OSError as fault:  # no process (EAGAIN), memory or descriptor is left
        with replies, suppress(OSError):
            replies.send(os.strerror(fault.errno or 0).encode())
    finally:
        os.close(progress)


def _begin(folder: Path, progress: int, replies: socket.socket, watched: selectors.BaseSelector) -> None:
    nursery = os.getpid()
    pid = os.fork()
    if pid == 0:
        os._exit(_analyse(folder, progress, nursery))
    handle = _handle_of(pid)
    watched.register(handle, selectors.EVENT_READ, (pid, replies))
    try:
        socket.send_fds(replies, [str(pid).encode()], [handle])
    except OSError:  # whoever asked has waited too long, and analyses without us
        os.kill(pid, signal.SIGKILL)


def _handle_of(pid: int) -> int:
    """The descriptor of a process that was begun; where none can be had nobody could watch it, so it ends."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def _tell(pid: int, replies: socket.socket) -> None:
    _, status = os.waitpid(pid, 0)
    with replies:
        try:
            replies.send(str(os.waitstatus_to_exitcode(status)).encode())
        except OSError:  # nobody waits for it
            return


def _analyse(folder: Path, progress: int, nursery: int) -> int:
    """In the fork: what `python -m service.jobs.child` does; gives the exit status."""
    try:
        os.setsid()
        die_with_parent(nursery)
        be_first_to_go()
        log = os.open(folder / LOG_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(log, stream.fileno())
        perform(folder, progress)
    except BaseException:  # noqa: BLE001 - the end of a process: whatever ended it is said in its log
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    main(sys.argv[1:])
