"""A place that results are sent to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from service.dicom.tls import Credentials
from service.errors import TryAgain

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"

_ADDRESS = re.compile(r"(?P<ae_title>[^@]{1,16})@(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^@:\s]+)):(?P<port>\d{1,5})")


class Verify(StrEnum):
    """How it is made sure that a destination keeps what it took: its signed promise, a look at what it shows, or not at all."""

    COMMITMENT = "commitment"
    FIND = "find"
    NONE = "none"


_URL = re.compile(r"https?://[^@\s?#/]+(/[^@\s?#]*)?")


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to a DICOMweb server; the password rests in a file of its own."""

    name: str
    password_file: Path

    def password(self, destination: str) -> str:
        """What the file holds now.

        Raises:
            TryAgain: It cannot be read.
        """
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as fault:
            sentence = f"{destination}: its password_file cannot be read ({getattr(fault, 'strerror', 'no text')})"
            raise TryAgain("destination.unreachable", sentence) from fault


@dataclass(frozen=True, slots=True)
class Destination:
    """A storage SCP, or, with a `url`, a DICOMweb server; `verify` says how it is asked for what was sent.

    What it does not show, or promise to keep, within `verify_within_s` is sent again. `otherwise` is asked where it offers no
    storage commitment, or its report does not come in time. `objects` are the roles of the objects that it gets (empty: all).
    `syntaxes` are the transfer syntaxes offered for uncompressed objects. `character_set` is the term that texts are written
    in for it; empty: as they were made. With `tls` it is spoken to over TLS; `host_name` is the name in its certificate, where
    that is not `host`.
    """

    name: str
    ae_title: str
    host: str
    port: int
    verify: Verify = Verify.NONE
    objects: frozenset[str] = frozenset()
    syntaxes: tuple[str, ...] = (EXPLICIT, IMPLICIT)
    character_set: str = ""
    verify_within_s: float = 3600.0
    otherwise: Verify = Verify.FIND
    url: str = ""
    login: Login | None = None
    tls: Credentials | None = None
    host_name: str = ""

    @property
    def address(self) -> str:
        """How it stands in the configuration."""
        if self.url:
            return self.url
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.ae_title}@{host}:{self.port}"

    @property
    def tls_name(self) -> str:
        """The name that its certificate must hold."""
        return self.host_name or self.host


@dataclass(frozen=True, slots=True)
class Caller:
    """Who we say we are, and how long we wait for an answer (s)."""

    ae_title: str = "CRYOMARGIN"
    timeout_s: float = 30.0


def parse_destination(name: str, address: str, *, verify: Verify = Verify.NONE) -> Destination:
    """The destination behind "AETITLE@host:port" or "https://host/dicom-web".

    Raises:
        ValueError: It is neither.

    >>> parse_destination("archive", "ARCHIVE@[::1]:104").host
    '::1'
    """
    if _URL.fullmatch(address):
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return Destination(name, "", parts.hostname or "", port, verify, url=address.rstrip("/"))
    match = _ADDRESS.fullmatch(address)
    if match is None or int(match["port"]) > 65535:
        raise ValueError(f'{address!r} is neither "AETITLE@host:port" nor "https://host/path"')
    return Destination(name, match["ae_title"].strip(), match["v6"] or match["host"], int(match["port"]), verify)
