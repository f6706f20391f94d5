"""`doctor`: is everything there that the service needs, and does it still measure the truth?"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console

from service.configured import caller_of, destinations_of, limits_of, options_of
from service.dicom import carrier, sender
from service.dicom.certificates import look_at
from service.dicom.destination import Caller, Destination
from service.errors import CryomarginError
from service.settings import Settings
from service.startup import tls_places

WELL, ILL = 0, 1
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Examined:
    """One thing that was looked at, whether it is well, and what was seen."""

    name: str
    well: bool
    seen: str


def examine(console: Console, settings: Settings) -> int:
    """Look at everything and say it; gives the exit status: 0 when all is well."""
    results = []
    for examined in _all(settings):
        mark = "[green]ok[/green]  " if examined.well else "[red]FAIL[/red]"
        console.print(mark, f"{examined.name}: {examined.seen}", highlight=False, soft_wrap=True)
        results.append(examined)
    return WELL if all(examined.well for examined in results) else ILL


def _all(settings: Settings) -> Iterator[Examined]:
    yield Examined("configuration", well=True, seen="can be read")
    yield _folder(settings)
    yield _index(settings)
    yield from _certificates(settings)
    yield _port("listener", settings.listener.host, settings.listener.port, lambda: _echo_self(settings))
    yield _port("web", settings.web.host, settings.web.port, lambda: "")
    for destination in destinations_of(settings):
        yield _destination(destination, caller_of(settings))
    yield _measurement(settings)


def _folder(settings: Settings) -> Examined:
    folder = settings.storage.folder.absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return Examined("storage", False, f"this user may not write to {there}")
    free = shutil.disk_usage(there).free // MEGABYTE
    return Examined("storage", free >= settings.storage.minimum_free_mb, f"{folder}, {free} MB free")


def _index(settings: Settings) -> Examined:
    from service.app import open_index

    if not settings.database.url and not settings.storage.folder.exists():
        return Examined("index", well=True, seen="will be made at the first start")
    try:
        with open_index(settings) as index:
            return Examined("index", well=True, seen=f"{index.counts().instances} instances")
    except (CryomarginError, OSError) as fault:
        return Examined("index", False, str(fault))


def _certificates(settings: Settings) -> Iterator[Examined]:
    for name, credentials in tls_places(settings):
        looked = look_at(credentials, datetime.now(UTC))
        yield Examined(f"TLS of {name}", looked.well, looked.seen)


def _port(name: str, host: str, port: int, in_use: Callable[[], str]) -> Examined:
    """Free is well; in use is well when our own service answers there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family):
            return Examined(name, well=True, seen=f"{host}:{port} is free")
    except OSError as fault:
        answer = in_use()
        return Examined(name, bool(answer), answer or f"{host}:{port} cannot be had: {fault.strerror}")


def _echo_self(settings: Settings) -> str:
    table = settings.listener
    if table.tls.certificate:
        return f"{table.host}:{table.port} is in use, which is not looked into because it speaks TLS"
    known = (*table.allowed_calling_ae, *(rule.rpartition("@")[0] for rule in table.allowed_callers))
    calling = next((title for title in known if title != "*"), "DOCTOR")
    try:
        sender.echo(Destination("service", table.ae_title, table.host, table.port), Caller(calling, 5.0))
    except CryomarginError:
        return ""
    return f"the service answers at {table.ae_title}@{table.host}:{table.port}"


def _destination(destination: Destination, caller: Caller) -> Examined:
    name = f"destination {destination.name}"
    try:
        carrier.echo(destination, caller)
    except CryomarginError as fault:
        return Examined(name, False, fault.sentence)
    return Examined(name, well=True, seen=f"{destination.address} answers")


def _measurement(settings: Settings) -> Examined:
    from service.jobs import selftest

    test = selftest.self_test(options_of(settings), limits_of(settings))
    return Examined("measurement", test.passed, f"{test.sentence} ({test.seconds:.1f} s)")
