"""C-STORE and C-ECHO from others: an instance is acknowledged only when it cannot be lost any more.

pynetdicom negotiates (PS3.8 section 9.3.4), `access` says who may call, `fast` reads the wire, `reception` decides about each
instance. With `fast` off pynetdicom reads by itself: slower, and more easily held up.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.transport import ThreadedAssociationServer

from service.dicom import commitment
from service.dicom.access import access_of
from service.dicom.callers import Caller, Callers
from service.dicom.command_set import StoreRequest
from service.dicom.contexts import VENDOR_CLASSES, acceptor_contexts
from service.dicom.crowd import Crowd
from service.dicom.door import Door
from service.dicom.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from service.dicom.reception import Answer, Arriving, HeaderReader, Offered, Reception
from service.dicom.server import Limits, Server, accept
from service.dicom.tls import Acceptor, Credentials, no_tls, shake_hands
from service.store.files import Files
from service.store.index import Index
from service.store.quarantine import USUAL_BOUNDS, Bounds, Quarantine

_LAST_STORE_S = 10.0  # an aborted association may still be writing; what uses the store must have ended before it closes
_COMMENT = 64  # the longest Error Comment (VR LO)

log = structlog.get_logger(__name__)

# pynetdicom's own log of messages would name patients, and its own words are not one event a line.
_config.LOG_HANDLER_LEVEL = "none"


@dataclass(frozen=True, slots=True)
class ListenerOptions:
    """How to listen. Port 0 takes a free one.

    `calling_ae_titles` are let in from anywhere ("*": everybody), `callers` as rules "AETITLE@network"; without either only
    this machine may call. While `max_waiting` studies wait (0: no limit), who brings more is told to come later. Objects that
    cannot be understood are kept within `quarantine`. Below `min_free_bytes` of free disk instances are refused. `max_pdu` is
    in bytes, timeouts in seconds. `further_sop_classes` are private storage classes to accept. With `tls` only TLS is spoken,
    and a `ca` in it makes every peer show a certificate. The last options count with `fast` only: how long a peer may stop in
    the middle of something, and how many connections may be open that ask for nothing.
    """

    ae_title: str = "CRYOMARGIN"
    host: str = "127.0.0.1"
    port: int = 11112
    calling_ae_titles: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    max_associations: int = 50
    max_waiting: int = 0
    min_free_bytes: int = 1 << 30
    quarantine: Bounds = USUAL_BOUNDS
    max_pdu: int = 131072
    acse_timeout_s: float = 30.0
    network_timeout_s: float = 60.0
    further_sop_classes: tuple[str, ...] = VENDOR_CLASSES
    tls: Credentials | None = None
    fast: bool = True
    stall_timeout_s: float = 30.0
    max_half_open: int = 100
    max_half_open_per_peer: int = 32


class Listener:
    """The storage SCP of the service."""

    def __init__(
        self,
        options: ListenerOptions,
        files: Files,
        index: Index,
        read_header: HeaderReader,
        clock: Callable[[], datetime],
        take_report: commitment.Take = commitment.ignore,
    ) -> None:
        self._options = options
        self._files = files
        self._index = index
        self._read_header = read_header
        self._clock = clock
        self._take_report = take_report
        access = access_of(options.ae_title, options.calling_ae_titles, options.callers)
        self._callers = Callers(index, clock, access, Crowd(index, options.max_waiting))
        self._quarantine = Quarantine(files, index, options.quarantine, options.min_free_bytes)
        self._reception = Reception(files, index, read_header, clock, options.min_free_bytes, self._quarantine)
        self._tls = Acceptor(options.tls) if options.tls is not None else None
        self._server: Any = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, once started."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    @property
    def open_associations(self) -> int:
        """How many associations are open."""
        return len(self._callers)

    def start(self) -> None:
        """Put right what a crash left behind, then listen. Who connects meanwhile waits.

        Raises:
            OSError: when the address cannot be had; nothing was changed then.
            TryAgain: when what was left cannot be put right.
        """
        server = self._fast_server() if self._options.fast else self._stock_server()
        try:
            self._recover()  # only with the address: another listener that is at work has it, and what is open is its
        except BaseException:
            server.server_close()
            raise
        self._server = server
        accept(server)
        host, port = self.address
        log.info("listening", host=host, port=port, ae_title=self._options.ae_title)

    def stop(self, drain_s: float = 30.0) -> None:
        """Accept nobody new, give open associations `drain_s` to finish, then abort them."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.shutdown()
        _wait(lambda: not self.open_associations, drain_s)
        late = self.open_associations
        self._callers.hang_up()
        _wait(lambda: self._callers.idle and not getattr(server, "busy", False), _LAST_STORE_S)
        self._callers.rejections.close()
        self._files.end_journal()
        log.info("stopped", aborted=late)

    def _fast_server(self) -> Server:
        options = self._options
        door = Door(self._begin, self._finish, self._callers.because, self._callers.turned_away, options.stall_timeout_s)
        return Server(
            _entity(options),
            (options.host, options.port),
            door,
            Limits(options.max_half_open, options.max_half_open_per_peer),
            **self._serving(),
        )

    def _stock_server(self) -> ThreadedAssociationServer:
        address = (self._options.host, self._options.port)
        serving = self._serving()
        serving["evt_handlers"].append((evt.EVT_CONN_OPEN, self._shake_hands))
        entity = _entity(self._options)
        return ThreadedAssociationServer(entity, address, entity.ae_title, **serving)

    def _serving(self) -> dict[str, Any]:
        return {
            "ssl_context": self._tls,
            "evt_handlers": [
                (evt.EVT_C_STORE, self._on_store),
                *commitment.handlers(self._take_report),
                *self._callers.handlers(),
            ],
            "contexts": acceptor_contexts(self._options.further_sop_classes),
        }

    def _recover(self) -> None:
        swept = self._files.sweep()
        restored = self._files.begin_journal()
        found = self._index.reconcile(self._files, self._read_header)
        self._index.close_all_associations(self._clock())
        self._quarantine.tidy()
        log.info(
            "recovered",
            part_files=len(swept),
            restored=len(restored),
            added=len(found.added),
            duplicates=len(found.duplicates),
            lost=len(found.lost),
            unreadable=len(found.unreadable),
            orphans=len(found.orphans),
            returned=len(found.returned),
        )

    def _begin(self, association: Any, request: StoreRequest, context: Any) -> Arriving:
        return self._reception.begin(_offered(self._callers.of(association), request, context))

    def _finish(self, association: Any, arriving: Arriving) -> Answer:
        with self._callers.storing(association) as caller:
            caller.bytes += arriving.size
            return arriving.finish()

    def _shake_hands(self, event: Any) -> None:
        """In the thread of the connection, so that a silent peer keeps nobody else waiting."""
        connection = event.assoc.dul.socket.socket
        if isinstance(connection, ssl.SSLSocket):
            try:
                shake_hands(connection, self._options.acse_timeout_s)
            except OSError as fault:
                self._callers.turned_away(event.assoc.requestor.address, no_tls(fault))

    def _on_store(self, event: Any) -> int | Dataset:
        """A whole C-STORE, as pynetdicom hands it over."""
        with self._callers.storing(event.assoc) as caller:
            asked = event.request
            request = StoreRequest(asked.MessageID, _uid(asked.AffectedSOPClassUID), _uid(asked.AffectedSOPInstanceUID))
            dataset = asked.DataSet.getbuffer() if asked.DataSet is not None else b""
            context = event.assoc._accepted_cx[event.context.context_id]  # noqa: SLF001
            caller.bytes += len(dataset)
            return _status(self._reception.store(_offered(caller, request, context), dataset))


def _offered(caller: Caller, request: StoreRequest, context: Any) -> Offered:
    return Offered(
        sop_class_uid=request.sop_class_uid,
        sop_instance_uid=request.sop_instance_uid,
        transfer_syntax_uid=_uid(context.transfer_syntax[0]),
        abstract_syntax_uid=_uid(context.abstract_syntax),
        calling_ae=caller.ae_title,
        association_id=caller.association_id,
    )


def _entity(options: ListenerOptions) -> AE:
    entity = AE(ae_title=options.ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION
    entity.maximum_associations = options.max_associations
    entity.maximum_pdu_size = options.max_pdu
    entity.acse_timeout = options.acse_timeout_s
    entity.dimse_timeout = options.network_timeout_s
    entity.network_timeout = options.network_timeout_s
    return entity


def _status(answer: Answer) -> int | Dataset:
    if not answer.comment:
        return answer.status
    status = Dataset()
    status.Status = answer.status
    status.ErrorComment = answer.comment[:_COMMENT]
    return status


def _uid(value: Any) -> str:
    return str(value or "").rstrip("\0 ")


def _wait(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
