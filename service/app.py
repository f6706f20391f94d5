"""The composition root: settings become store, jobs, listener, worker and web, started and stopped in the right order.

Each part is imported where it is started, so that a process holds only what it runs: a listener without the job engine and the
web server starts sooner and needs half the memory.
"""

from __future__ import annotations

import random
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from service import __version__
from service.configured import (
    caller_of,
    destinations_of,
    engine_url,
    index_url,
    keeping_of,
    limits_of,
    listener_tls,
    options_of,
    parallel_of,
    pauses_of,
    quarantine_bounds,
    when_of,
)
from service.settings import Settings
from service.startup import (
    MEGABYTE,
    address,
    bind,
    certificate_checks,
    disk_check,
    lock_name,
    only_one,
    require_truth,
    stow_server,
    utc_now,
    writable,
)
from service.store.files import Files
from service.store.index import Index
from service.web.info import Check, DestinationInfo, Probed, ServiceInfo

if TYPE_CHECKING:
    from service.jobs.delivery import Courier
    from service.jobs.engine import Engine
    from service.jobs.forked import Nursery
    from service.jobs.steps import Run, Steps
    from service.jobs.visit import Means

log = structlog.get_logger("service")


@dataclass(frozen=True, slots=True)
class Parts:
    """Which parts this process runs."""

    listener: bool = True
    worker: bool = True
    web: bool = True


def open_index(settings: Settings) -> Index:
    """The index of these settings, for a command that only looks or asks for a replay."""
    return Index.open(index_url(settings))


class Service:
    """The running parts of one process. When `start` raises, nothing is left running."""

    def __init__(self, settings: Settings, parts: Parts | None = None) -> None:
        self.settings = settings
        self.parts = parts or Parts()
        self.listener_address = ""
        self.web_address = ""
        self.stow_address = ""
        self._undo = ExitStack()

    def start(self) -> None:
        """Open what is kept, go on with what was left, and only then let others in.

        Raises:
            TryAgain: Something outside is in the way: an address in use, a folder that cannot be written, another worker.
        """
        with ExitStack() as undo:
            self._begin(undo)
            self._undo = undo.pop_all()
        log.info("started", listener=self.listener_address, web=self.web_address, version=__version__)

    def stop(self) -> None:
        """Let nobody in any more, finish what can be finished in time, close. What is left goes on at the next start."""
        log.info("stopping")
        self._undo.close()
        log.info("stopped")

    def _begin(self, undo: ExitStack) -> None:
        proven = [require_truth(self.settings)] if self.parts.worker else []
        folder = writable(self.settings.storage.folder)
        self.files = Files(folder)
        self.index = open_index(self.settings)
        undo.callback(self.index.close)
        checks = [disk_check(self.files, self.settings.storage.minimum_free_mb), *certificate_checks(self.settings), *proven]
        working = self._start_engine(undo, folder) if self.parts.worker else None
        if self.parts.listener:
            checks.append(self._start_listener(undo))
        if self.parts.listener and self.settings.dicomweb.port:
            self._start_stow(undo)
        if working is not None:  # looks only after the listener has put in order what a crash left
            checks.append(self._start_worker(undo, *working))
        if self.settings.metrics.port:
            self._start_metrics(undo)
        if self.parts.web:
            self._start_web(undo, tuple(checks))

    def _start_listener(self, undo: ExitStack) -> Check:
        from service.dicom.header_scan import read_header
        from service.dicom.listener import Listener, ListenerOptions
        from service.jobs.verification import Reports

        table = self.settings.listener
        options = ListenerOptions(
            ae_title=table.ae_title,
            host=table.host,
            port=table.port,
            calling_ae_titles=table.allowed_calling_ae,
            callers=table.allowed_callers,
            max_associations=table.maximum_associations,
            max_waiting=table.maximum_waiting_studies,
            min_free_bytes=self.settings.storage.minimum_free_mb * MEGABYTE,
            quarantine=quarantine_bounds(self.settings),
            tls=listener_tls(self.settings),
            fast=table.fast,
            stall_timeout_s=table.stall_s,
            max_half_open=table.maximum_half_open,
            max_half_open_per_peer=table.maximum_half_open_per_peer,
        )
        listener = Listener(options, self.files, self.index, read_header, utc_now, Reports(self._means()).take)
        with address("listener", table.host, table.port):
            listener.start()
        undo.callback(listener.stop, table.drain_s)
        self.listener_address = f"{table.ae_title}@{table.host}:{listener.address[1]}"
        return Check("listener", lambda: Probed(ok=True, sentence=f"Listens at {self.listener_address}."))

    def _start_stow(self, undo: ExitStack) -> None:
        server, self.stow_address = stow_server(self.settings, self.files, self.index)
        server.start()
        undo.callback(server.stop)
        log.info("taking_uploads", address=self.stow_address)

    def _start_engine(self, undo: ExitStack, folder: Path) -> tuple[Engine, Nursery]:
        from service.jobs.engine import WORKFLOW_VERSION, Engine, EngineOptions
        from service.jobs.forked import Nursery
        from service.jobs.process import sweep
        from service.jobs.watchdog import Pulse, Watchdog

        table, stop_now, parallel = self.settings.worker, threading.Event(), parallel_of(self.settings)
        undo.enter_context(only_one(folder / lock_name(table.name), table.name))
        log.info("swept", analyses=sweep(folder / "work"))
        names = tuple(one.name for one in destinations_of(self.settings))
        watchdog = Watchdog(self.index, Pulse(table.name, WORKFLOW_VERSION, parallel, table.heartbeat_s, names), utc_now)
        watchdog.join()
        attempts, pauses = self.settings.analysis.attempts, pauses_of(self.settings)
        options = EngineOptions(engine_url(self.settings), table.name, parallel, attempts, pauses)
        nursery = Nursery()
        nursery.start()
        undo.callback(nursery.stop)
        engine = Engine(options, self._steps(folder, stop_now, nursery.run), stop_now)
        engine.start()
        undo.callback(watchdog.stop)
        undo.callback(engine.stop, table.drain_s)
        watchdog.start()
        return engine, nursery

    def _start_worker(self, undo: ExitStack, engine: Engine, nursery: Nursery) -> Check:
        from service.jobs.dispatch import Dispatch
        from service.jobs.worker import Worker
        from service.store.orders import Share

        share = Share(self.settings.worker.name, parallel_of(self.settings), self.settings.analysis.parallel_in_all)
        worker = Worker(self.index, engine.submit, when_of(self.settings), utc_now, share, nursery.expect)
        worker.start()
        undo.callback(worker.stop)
        dispatch = Dispatch(self._courier())
        dispatch.start()
        undo.callback(dispatch.stop, self.settings.worker.drain_s)
        self._start_tidying(undo)
        sentence = "Looks for complete studies, waiting jobs and what is to be delivered."
        return Check("worker", lambda: Probed(worker.alive and dispatch.alive, sentence))

    def _start_tidying(self, undo: ExitStack) -> None:
        from service.jobs.tidying import Tidying

        keeping = keeping_of(self.settings)
        if keeping.longest:
            tidying = Tidying(self.index, self.files, keeping, utc_now)
            tidying.start()
            undo.callback(tidying.stop)

    def _courier(self) -> Courier:
        from service.jobs.delivery import Courier

        return Courier(self._means(), destinations_of(self.settings), self.settings.worker.name)

    def _means(self) -> Means:
        from service.jobs.visit import Means

        return Means(self.index, self.files, caller_of(self.settings), utc_now, pauses_of(self.settings), random.random)

    def _steps(self, folder: Path, stop_now: threading.Event, run: Run) -> Steps:
        from service.jobs.steps import Steps

        return Steps(
            index=self.index,
            files=self.files,
            courier=self._courier(),
            options=options_of(self.settings),
            limits=limits_of(self.settings),
            folder=folder / "work",
            stop=stop_now,
            run=run,
            worker=self.settings.worker.name,
            required=when_of(self.settings).required,
        )

    def _start_metrics(self, undo: ExitStack) -> None:
        from prometheus_client import start_http_server

        from service.metrics import REGISTRY

        table = self.settings.metrics
        with address("metrics", table.host, table.port):
            server, thread = start_http_server(table.port, table.host, REGISTRY)
        undo.callback(thread.join)
        undo.callback(server.server_close)
        undo.callback(server.shutdown)

    def _start_web(self, undo: ExitStack, checks: tuple[Check, ...]) -> None:
        from service.web.app import create_app
        from service.web.server import WebServer

        table = self.settings.web
        with address("web", table.host, table.port):
            bound = bind(table.host, table.port)
        web = WebServer(create_app(self.index, self._info(checks)), bound)
        web.start()
        undo.callback(web.stop)
        self.web_address = f"http://{table.host}:{bound.getsockname()[1]}/"

    def _info(self, checks: tuple[Check, ...]) -> ServiceInfo:
        from service.jobs.software import software

        return ServiceInfo(
            version=__version__,
            listener=self.listener_address,
            destinations=tuple(DestinationInfo(one.name, one.address) for one in self.settings.destination),
            checks=checks,
            settings_hash=software(options_of(self.settings)).settings_hash,
            show_patient_id=self.settings.web.show_patient_id,
            free_bytes=self.files.free_bytes,
            user_header=self.settings.web.user_header,
        )
