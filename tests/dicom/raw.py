"""A peer made of bytes: says what it likes, when it likes. What pynetdicom would never send comes from here."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any, Self

from tests.dicom.wire import EXPLICIT, MR

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
ABORT = bytes.fromhex("07000000000400000000")
RELEASE = bytes.fromhex("05000000000400000000")
REQUEST, ACCEPTED, REJECTED, DATA, RELEASED, ABORTED = 1, 2, 3, 4, 6, 7


def item(kind: int, content: bytes) -> bytes:
    """An item of an association request."""
    return struct.pack(">BxH", kind, len(content)) + content


def pdu(kind: int, content: bytes) -> bytes:
    """A PDU."""
    return struct.pack(">BxL", kind, len(content)) + content


def associate_request(called: str = "CRYOMARGIN", calling: str = "RAW", *, longest: int = 16384) -> bytes:
    """Asks for MR in context 1 and for an echo in context 3."""
    contexts = b"".join(
        item(0x20, struct.pack(">B3x", number) + item(0x30, abstract.encode()) + item(0x40, syntax.encode()))
        for number, abstract, syntax in ((1, MR, EXPLICIT), (3, VERIFICATION, IMPLICIT))
    )
    user = item(0x50, item(0x51, struct.pack(">L", longest)) + item(0x52, b"1.2.3"))
    names = called.ljust(16).encode() + calling.ljust(16).encode()
    return pdu(REQUEST, struct.pack(">H2x", 1) + names + bytes(32) + item(0x10, b"1.2.840.10008.3.1.1.1") + contexts + user)


def p_data(content: bytes, *, context: int = 1, control: int = 0) -> bytes:
    """One value in one P-DATA; control: 1 command, 2 last fragment."""
    return pdu(DATA, struct.pack(">LBB", len(content) + 2, context, control) + content)


def fragments(content: bytes, size: int) -> Iterator[bytes]:
    """P-DATA of `size` bytes of a data set each."""
    for start in range(0, len(content), size):
        yield p_data(content[start : start + size], control=2 if start + size >= len(content) else 0)


def command(field: int, *, data: bool, sop_class: str = MR, instance: str = "1.2.3") -> bytes:
    """A command set of a request with message ID 7."""

    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(value)) + value

    def uid(text: str) -> bytes:
        return text.encode() + b"\0" * (len(text) % 2)

    content = element(0x0002, uid(sop_class)) + element(0x0100, struct.pack("<H", field))
    content += element(0x0110, struct.pack("<H", 7)) + element(0x0700, struct.pack("<H", 2))
    content += element(0x0800, struct.pack("<H", 0x0001 if data else 0x0101))
    if data:
        content += element(0x1000, uid(instance))
    return element(0x0000, struct.pack("<L", len(content))) + content


STORE = command(0x0001, data=True)
ECHO = command(0x0030, data=False, sop_class=VERIFICATION)


class Raw:
    """A connection; `reset` at the end instead of a clean close."""

    def __init__(self, address: tuple[str, int], *, timeout_s: float = 30) -> None:
        self.socket = socket.create_connection(address, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *contents: bytes) -> Self:
        """Say something; nobody has to listen."""
        try:
            for content in contents:
                self.socket.sendall(content)
        except OSError:
            pass
        return self

    def receive(self) -> tuple[int, bytes]:
        """The next PDU: kind and content; (0, b"") when there is none."""
        head = self._exactly(6)
        if not head:
            return 0, b""
        kind, length = struct.unpack(">BxL", head)
        return kind, self._exactly(length)

    def associate(self, **options: Any) -> Self:
        """With success."""
        kind, _ = self.send(associate_request(**options)).receive()
        assert kind == ACCEPTED
        return self

    def reset(self) -> None:
        """As when the machine at the other end loses power and comes back."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Cleanly, with whatever was said so far."""
        self.socket.close()

    def abort(self) -> None:
        """A-ABORT."""
        self.send(ABORT)

    def release(self) -> None:
        """A-RELEASE-RQ."""
        self.send(RELEASE)

    def _exactly(self, length: int) -> bytes:
        received = b""
        while len(received) < length:
            try:
                more = self.socket.recv(length - len(received))
            except ConnectionError:
                return b""
            if not more:
                return b""
            received += more
        return received


def echo(address: tuple[str, int]) -> bool:
    """Whether an honest peer is answered."""
    with Raw(address).associate() as peer:
        kind, content = peer.send(p_data(ECHO, context=3, control=3)).receive()
        answered = kind == DATA and struct.pack("<HHLH", 0, 0x0900, 2, 0) in content
        return answered and peer.send(RELEASE).receive()[0] == RELEASED
