"""A sender that costs next to nothing: bytes made beforehand, one write an instance, one read an answer."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydicom.uid import generate_uid

from tests.dicom.raw import RELEASE, Raw, associate_request, command, p_data
from tests.dicom.wire import an_image, encode

PLACE = "1.2.826.0.1.3680043.10.1.9999999999999999"  # replaced, digit by digit, by another UID each time
SUCCESS = struct.pack("<HHLH", 0, 0x0900, 2, 0)
_OWN_LONGEST = 131072


def data_set(size: int) -> bytes:
    """An MR image of about `size` bytes, to be told apart by its SOP Instance UID alone."""
    return encode(an_image(PLACE, {"PixelData": bytes(size)}))


@dataclass(slots=True)
class Message:
    """One C-STORE as it goes over the wire; `numbered` makes it another instance."""

    content: bytearray
    places: list[int]

    @classmethod
    def of(cls, dataset: bytes, longest: int) -> Message:
        """Of a data set, in P-DATA of at most `longest` bytes."""
        room = longest - 6
        parts = [p_data(command(0x0001, data=True, instance=PLACE), control=3)]
        parts += [
            p_data(dataset[start : start + room], control=2 if start + room >= len(dataset) else 0)
            for start in range(0, len(dataset), room)
        ]
        content = bytearray(b"".join(parts))
        first = content.index(PLACE.encode())
        return cls(content, [first, content.index(PLACE.encode(), first + 1)])

    def numbered(self, number: int) -> bytearray:
        """As instance `number`; the next call changes it again."""
        uid = uid_of(number).encode()
        for place in self.places:
            self.content[place : place + len(uid)] = uid
        return self.content


def uid_of(number: int) -> str:
    """The SOP Instance UID of instance `number`."""
    return f"{PLACE[:-16]}1{number:015d}"


class Pump:
    """One association."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self._raw = Raw(("127.0.0.1", port), timeout_s=120)
        self._raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self._raw.socket = context.wrap_socket(self._raw.socket)
        kind, content = self._raw.send(associate_request()).receive()
        if kind != 2:
            self._raw.close()
            raise ConnectionRefusedError(f"no association: PDU {kind}")
        place = content.index(b"\x51\x00\x00\x04") + 4
        self.longest = min(struct.unpack(">L", content[place : place + 4])[0] or _OWN_LONGEST, _OWN_LONGEST)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def store(self, message: bytes | bytearray) -> None:
        """Send it; the answer must be success."""
        self._raw.socket.sendall(message)
        kind, content = self._raw.receive()
        if not kind:
            raise ConnectionError("no answer")
        if SUCCESS not in content:
            raise RuntimeError("an instance was not taken")

    def store_large(self, size: int) -> None:
        """One instance with `size` bytes of pixels, a P-DATA at a time: it need not fit into memory."""
        uid = str(generate_uid())
        head = encode(an_image(uid, {"PixelData": None})) + struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, size)
        self._raw.socket.sendall(p_data(command(0x0001, data=True, instance=uid), control=3) + p_data(head))
        room = self.longest - 6
        piece = p_data(bytes(room))
        for _ in range((size - 1) // room):
            self._raw.socket.sendall(piece)
        self.store(p_data(bytes((size - 1) % room + 1), control=2))

    def release(self) -> None:
        """The end."""
        self._raw.send(RELEASE).receive()
        self._raw.close()


def pump(port: int, dataset: bytes, associations: int, each: int, context: ssl.SSLContext | None = None) -> float:
    """Seconds for `each` instances on each of so many associations at once, all from the same moment."""
    starting = int(generate_uid().rpartition(".")[2][:9]) * 100_000
    ready, faults = threading.Barrier(associations + 1), list[Exception]()

    def run(first: int) -> None:
        try:
            with Pump(port, context) as sender:
                message = Message.of(dataset, sender.longest)
                ready.wait()
                for number in range(first, first + each):
                    sender.store(message.numbered(number))
                sender.release()
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            faults.append(error)
            ready.abort()

    return _timed(run, [starting + each * number for number in range(associations)], ready, faults)


def storm(port: int, dataset: bytes, associations: int) -> float:
    """Seconds until so many peers that connect at once have each stored one instance and gone."""
    starting = int(generate_uid().rpartition(".")[2][:9]) * 100_000
    ready, faults = threading.Barrier(associations + 1), list[Exception]()

    def run(number: int) -> None:
        try:
            ready.wait()
            with Pump(port) as sender:
                sender.store(Message.of(dataset, sender.longest).numbered(number))
                sender.release()
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            faults.append(error)

    return _timed(run, range(starting, starting + associations), ready, faults)


def _timed(run: Callable[[int], None], firsts: range | list[int], ready: threading.Barrier, faults: list[Exception]) -> float:
    threads = [threading.Thread(target=run, args=(first,)) for first in firsts]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    if faults:
        raise RuntimeError(f"{len(faults)} of {len(threads)} failed") from faults[0]
    return time.perf_counter() - began


def self_signed(folder: Path) -> Path:
    """A certificate with its key, for nobody to trust."""
    place, certificate = folder / "both.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    made = [*command, "-subj", "/CN=localhost", "-keyout", str(place), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    place.write_text(place.read_text() + certificate.read_text())
    return place


def trusting() -> ssl.SSLContext:
    """For a sender that asks nobody who it is talking to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
