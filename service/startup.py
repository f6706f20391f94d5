"""What must hold before the service serves: a folder, an address, a name of its own, and a phantom measured right."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from service.configured import destinations_of, limits_of, listener_tls, options_of, quarantine_bounds
from service.dicom.tls import Credentials
from service.errors import TryAgain
from service.settings import Settings
from service.store.files import Files
from service.store.index import Index
from service.web.info import Check, Probed

if TYPE_CHECKING:  # imported where they are used: not every process has this part
    from service.dicom.part10 import FileDoor
    from service.web.server import WebServer

MEGABYTE = 1_000_000
CANNOT_START = "service.start"
log = structlog.get_logger("service")


def utc_now() -> datetime:
    """The clock of the service."""
    return datetime.now(UTC)


def configure_log(level: str) -> None:
    """One event a line on standard error; libraries only speak up when something is wrong."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, format="level=%(levelname)s event=%(name)s message=%(message)r")
    logging.captureWarnings(capture=True)
    for handler in logging.getLogger().handlers:  # not the libraries' loggers: these set their levels anew when imported
        handler.addFilter(_quotes_no_header)


def _quotes_no_header(record: logging.LogRecord) -> bool:
    """Whether a record cannot quote header values, and so patients."""
    return not record.name.startswith(("pydicom", "pynetdicom", "py.warnings")) or record.levelno >= logging.CRITICAL


def writable(folder: Path) -> Path:
    """The storage folder, made where it is missing.

    Raises:
        TryAgain: It cannot be made or written.
    """
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as fault:
        raise TryAgain(CANNOT_START, f"storage.folder {folder}: {fault.strerror}") from fault
    if not os.access(folder, os.W_OK | os.X_OK):
        raise TryAgain(CANNOT_START, f"storage.folder {folder}: this user may not write there")
    return folder


def disk_check(files: Files, minimum_free_mb: int) -> Check:
    """Whether there is room for more instances, for the page."""

    def probe() -> Probed:
        free = files.free_bytes() // MEGABYTE
        return Probed(free >= minimum_free_mb, f"{free} MB are free, {minimum_free_mb} MB must be.")

    return Check("disk", probe)


def certificate_checks(settings: Settings) -> list[Check]:
    """Whether the certificates are valid, for the page: one check for each place where TLS is spoken."""
    return [Check(f"TLS of {name}", partial(_certificates, credentials)) for name, credentials in tls_places(settings)]


def tls_places(settings: Settings) -> Iterator[tuple[str, Credentials]]:
    """Where TLS is spoken, by the name that people know it by, with its files."""
    ours = listener_tls(settings)
    if ours is not None:
        yield "the listener", ours
    for destination in destinations_of(settings):
        if destination.tls is not None:
            yield f"destination {destination.name}", destination.tls


def _certificates(credentials: Credentials) -> Probed:
    from service.dicom.certificates import look_at

    looked = look_at(credentials, datetime.now(UTC))
    return Probed(looked.well, f"{looked.seen[0].upper()}{looked.seen[1:]}.")


def require_truth(settings: Settings) -> Check:
    """What the self-test said, for the page.

    Raises:
        TryAgain: It missed a phantom: nothing is received, measured or shown until that is mended.
    """
    if not settings.worker.self_test:
        return Check("self-test", lambda: Probed(ok=True, sentence="Switched off: worker.self_test is false."))
    from service.jobs.selftest import self_test

    test = self_test(
        options_of(settings), limits_of(settings), lambda name, percent: log.info("self_test", phantom=name, percent=percent)
    )
    if not test.passed:
        raise TryAgain("service.self_test", test.sentence)
    log.info("self_test_passed", seconds=round(test.seconds, 1))
    return Check("self-test", lambda: Probed(ok=True, sentence=f"{test.sentence} ({test.seconds:.1f} s at the start)"))


def file_door(settings: Settings, files: Files, index: Index) -> FileDoor:
    """Where files come in that nobody sends over an association."""
    from service.dicom.header_scan import read_header
    from service.dicom.part10 import FileDoor
    from service.dicom.reception import Reception
    from service.store.quarantine import Quarantine

    free = settings.storage.minimum_free_mb * MEGABYTE
    quarantine = Quarantine(files, index, quarantine_bounds(settings), free)
    return FileDoor(Reception(files, index, read_header, utc_now, free, quarantine))


def stow_server(settings: Settings, files: Files, index: Index) -> tuple[WebServer, str]:
    """STOW-RS, not yet started, and its address.

    Raises:
        TryAgain: The address cannot be had.
    """
    from service.web.guard import Guard, networks
    from service.web.server import WebServer
    from service.web.stow import Storing, create_stow

    table = settings.dicomweb
    guard = Guard(tuple(token.get_secret_value() for token in table.tokens), networks(table.allowed_addresses))
    storing = Storing(file_door(settings, files, index), index, utc_now, table.maximum_body_mb * MEGABYTE, table.stall_s)
    with address("dicomweb", table.host, table.port):
        bound = bind(table.host, table.port)
    server = WebServer(create_stow(storing, guard), bound, table.maximum_connections)
    return server, f"http://{table.host}:{bound.getsockname()[1]}/studies"


@contextmanager
def address(part: str, host: str, port: int) -> Iterator[None]:
    """Say which part could not have which address."""
    try:
        yield
    except OSError as fault:
        reason = "is in use by another program" if fault.errno == errno.EADDRINUSE else str(fault.strerror or fault)
        raise TryAgain(CANNOT_START, f"{part} address {host}:{port}: {reason}") from fault


def bind(host: str, port: int) -> socket.socket:
    """A listening socket of that address; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


@contextmanager
def only_one(lock: Path, name: str) -> Iterator[None]:
    """Two workers of one name would take each other's running jobs for abandoned ones. The lock dies with the process."""
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise TryAgain(
                CANNOT_START, f"worker.name {name!r}: a worker of this name runs already on this storage folder"
            ) from fault
        yield


def lock_name(worker: str) -> str:
    """A file name that any worker name can have.

    >>> lock_name("worker 1/a")
    'worker-776f726b657220312f61.lock'
    """
    return f"worker-{worker.encode().hex()}.lock"
