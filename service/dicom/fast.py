"""pynetdicom's acceptor without its waits and copies: the one file that overrides names that pynetdicom keeps to itself.

What stays pynetdicom's: negotiation, the state machine, its events, release and abort. What is done here: threads sleep in
the kernel until something comes, a C-STORE goes from the socket into the store in pieces, and no peer can hold anything for
long. Written for pynetdicom 3.0; `tests/dicom/test_fast_contract.py` says at once when that changes.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import structlog
from pynetdicom import evt
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import A_P_ABORT, P_DATA
from pynetdicom.transport import RequestHandler

from service.dicom.checkpoint import LOOK_S, Checkpoint
from service.dicom.command_set import VERIFICATION, StoreRequest, echo_response, read_echo_request, store_response
from service.dicom.connection import BLOCKED, Bell, Connection, shake_hands
from service.dicom.door import Door
from service.dicom.messages import Handlers, Messages, Storing
from service.dicom.pdus import ABORT, COME_LATER, Cutter, Malformed, Pdu, Piece, p_data
from service.dicom.reception import Arriving, where
from service.dicom.tls import no_tls
from service.errors import Unusable

_CLOSED, _EXPIRED, _INVALID, _DATA = "Evt17", "Evt18", "Evt19", "Evt10"
_IDLE, _HALF_OPEN, _ESTABLISHED, _LEAVING = "Sta1", "Sta2", "Sta6", "Sta13"
_ASSOCIATE_REQUEST = 1

_SMALL, _BUFFER = 16 * 1024, 256 * 1024  # what is read at a time: most associations begin, and some end, with little
_LONGEST_PDU = 512 * 1024  # of those that are no P-DATA: 128 contexts with every transfer syntax need less
_LINGER_S = 1.0  # how long a peer that was told the end may take to hang up

log = structlog.get_logger(__name__)


class Reader(DULServiceProvider):
    """The thread that owns the connection of one association: reads it, stores what is sent, runs the state machine."""

    def __init__(self, association: Any, connection: socket.socket, door: Door) -> None:
        super().__init__(association)
        self.daemon = True
        self._door = door
        self._connection = connection
        self._cutter = Cutter(association.acceptor.maximum_length, _LONGEST_PDU)
        self._messages = Messages(Handlers(self._begin, self._finish, self._other))
        self._buffer = memoryview(bytearray(_SMALL))
        self._bell = Bell()
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._poll.register(self._bell.descriptor, select.POLLIN)
        self._deadline = 0.0  # until when what is at hand may last; 0: nothing is at hand
        self._deaf = False  # the rest of what comes is of no interest
        self._turned_away = False

    # What other threads call

    def send_pdu(self, primitive: Any) -> None:
        """Have a primitive sent."""
        super().send_pdu(primitive)
        self._bell.ring()

    def kill_dul(self) -> None:
        """End."""
        super().kill_dul()
        self._bell.ring()

    def stop_dul(self) -> bool:
        """End, if the connection is over; gives whether it is."""
        if self.state_machine.current_state != _IDLE:
            return False
        self.kill_dul()
        if threading.current_thread() is not self:
            self.join()
        return True

    def turn_away(self) -> None:
        """End a connection that has not asked for an association: tell it to come back later."""
        self._turned_away = True
        self._bell.ring()

    # The thread

    def run_reactor(self) -> None:
        """Serve the connection until it ends, and leave nothing of it behind."""
        self._idle_timer.start()
        self.artim_timer.start()
        self.assoc._dul_ready.set()  # noqa: SLF001
        served = False
        try:
            if self._shake_hands():
                self._serve()
                served = True
        except Exception as error:  # noqa: BLE001 - an outer door: one connection must not end the service
            self._break_off(error)
        finally:
            self.end(told=served)

    def _shake_hands(self) -> bool:
        """In this thread, so that a silent peer keeps nobody waiting."""
        try:
            return shake_hands(self._connection, lambda: 0.0 if self._turned_away else self.artim_timer.remaining)
        except OSError as error:
            self._door.because(self.assoc, no_tls(error))
            self._door.turned_away(self.assoc.requestor.address, no_tls(error))
            return False

    def _serve(self) -> None:
        while not self._kill_thread:
            if self.artim_timer.expired:
                self.event_queue.put(_EXPIRED)
            elif not self._process_recv_primitive() and self.event_queue.empty():
                self._receive()
            self._act()

    def _act(self) -> None:
        while not self._kill_thread and not self.event_queue.empty():
            before = self.state_machine.current_state
            self.state_machine.do_action(self.event_queue.get())
            if self.state_machine.current_state == _LEAVING != before:
                self._deaf, self._deadline = True, time.monotonic() + _LINGER_S
            self.assoc._reactor_checkpoint.wake()  # noqa: SLF001

    def _receive(self) -> None:
        """Read what is there, or wait for it; a wait ends when another thread rings, or the time is over."""
        if self._turned_away and self.state_machine.current_state == _HALF_OPEN:
            self.socket.send(COME_LATER)
            self.socket.close()
            return
        try:
            length = self._connection.recv_into(self._buffer)
        except BLOCKED:
            self._wait()
        except OSError:
            self.event_queue.put(_CLOSED)
        else:
            self._received(length)
            if length == len(self._buffer) == _SMALL:
                self._buffer = memoryview(bytearray(_BUFFER))

    def _received(self, length: int) -> None:
        if not length:
            self.event_queue.put(_CLOSED)
        if self._deaf or not length:
            return
        self._idle_timer.restart()
        # A sender with Nagle's algorithm holds its last bytes back until ours are acknowledged: do so at once.
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        try:
            for part in self._cutter.cut(self._buffer[:length]):
                self._part(part)
        except (Malformed, Unusable) as error:
            self._refuse(str(error) if isinstance(error, Malformed) else error.sentence)
        else:
            self._limit()

    def _limit(self) -> None:
        """A PDU that has begun has to end in time, and a message that has begun has to go on."""
        if not (self._cutter.inside or self._messages.inside):
            self._deadline = 0.0
        elif not (self._cutter.inside and self._deadline):
            self._deadline = time.monotonic() + self._door.stall_timeout_s

    def _wait(self) -> None:
        ends = [self._deadline - time.monotonic()] if self._deadline else []
        if self.state_machine.current_state == _HALF_OPEN:
            ends.append(self.artim_timer.remaining)
        ready = self._poll.poll(1000 * max(0.0, min(ends)) + 1 if ends else None)
        if any(descriptor == self._bell.descriptor for descriptor, _ in ready):
            self._bell.hush()
        if self._deadline and time.monotonic() > self._deadline:
            self._late()

    def _late(self) -> None:
        self._deadline = 0.0
        if self._deaf:
            self.socket.close()
        else:
            self._refuse("it stopped in the middle of a message")

    def _refuse(self, cause: str) -> None:
        self._door.because(self.assoc, cause)
        self._messages.abandon()
        self._deaf = True
        self.event_queue.put(_INVALID)

    # What comes

    def _part(self, part: Pdu | Piece) -> None:
        if self._deaf:
            return
        if isinstance(part, Pdu):
            self._whole(part)
        elif self.state_machine.current_state == _ESTABLISHED:
            self.assoc._reactor_checkpoint.established.wait(LOOK_S)  # noqa: SLF001
            self._messages.add(part)
        else:
            self._deaf = True
            self.event_queue.put(_DATA)

    def _whole(self, pdu: Pdu) -> None:
        if pdu.kind == _ASSOCIATE_REQUEST:
            self.assoc._server.asked(self.assoc)  # noqa: SLF001
        try:
            decoded, event = self._decode_pdu(bytearray(pdu.content))
        except Exception as error:
            raise Malformed("a PDU cannot be decoded") from error
        self._recv_pdu.put(decoded)
        self.event_queue.put(event)
        self._act()

    def _begin(self, context_id: int, request: StoreRequest) -> Arriving:
        context = self.assoc._accepted_cx.get(context_id)  # noqa: SLF001
        if context is None:
            raise Malformed("a message came in a presentation context that was not accepted")
        return self._door.begin(self.assoc, request, context)

    def _finish(self, storing: Storing) -> None:
        answer = self._door.finish(self.assoc, storing.arriving)
        command = store_response(storing.request, answer.status, answer.comment)
        self.socket.send(p_data(storing.context_id, command, self.assoc.requestor.maximum_length))

    def _other(self, context_id: int, fragment: bytes) -> None:
        """An echo is answered here, without waking another thread; the rest is for pynetdicom."""
        context = self.assoc._accepted_cx.get(context_id)  # noqa: SLF001
        echo = read_echo_request(fragment[1:]) if context and context.abstract_syntax == VERIFICATION else None
        if echo is not None:
            self.socket.send(p_data(context_id, echo_response(echo), self.assoc.requestor.maximum_length))
            return
        primitive = P_DATA()
        primitive.presentation_data_value_list = [[context_id, fragment]]
        try:
            self.assoc.dimse.receive_primitive(primitive)
        except Exception as error:
            raise Malformed("a command set cannot be understood") from error
        self.assoc._reactor_checkpoint.wake()  # noqa: SLF001

    # The end

    def _break_off(self, error: Exception) -> None:
        """Something that no peer should be able to bring about: say so, and end this connection alone."""
        log.error("connection_failed", error=type(error).__name__, where=where(error))
        self._door.because(self.assoc, "a fault of this service")
        with suppress(OSError):
            self._connection.send(ABORT)
        primitive = A_P_ABORT()
        primitive.provider_reason = 0
        self.to_user_queue.put(primitive)

    def end(self, *, told: bool) -> None:
        """Give everything back; `told` when all who want to know of the end of the connection have been told."""
        self._messages.abandon()
        self.assoc._server.ended(self.assoc)  # noqa: SLF001
        if not told:
            evt.trigger(self.assoc, evt.EVT_CONN_CLOSE, {"address": self.assoc.requestor.address_info.as_tuple})
        with suppress(OSError):
            self._connection.close()
        self._bell.close()
        self._buffer = memoryview(b"")  # at once: what belongs to an association is freed when the collector finds its circle
        self.to_user_queue.put(None)  # who still waits for a request waits for nothing
        self.assoc._reactor_checkpoint.wake()  # noqa: SLF001


class Handler(RequestHandler):
    """Makes an association of pynetdicom's and gives it our reader."""

    def _create_association(self) -> Any:
        association = super()._create_association()
        server = association._server  # noqa: SLF001
        association._reactor_checkpoint = Checkpoint(association)  # noqa: SLF001
        association.dul = Reader(association, self.request, server.door)
        association.dul.socket = Connection(association, self.request, server.door.stall_timeout_s)
        association.dul.artim_timer.timeout = association.acse_timeout
        association.dul._idle_timer.timeout = association.network_timeout  # noqa: SLF001
        server.entered(association)
        return association
