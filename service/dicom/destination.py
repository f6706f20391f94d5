"""A place that results are sent to."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ADDRESS = re.compile(r"(?P<ae_title>[^@]{1,16})@(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^@:\s]+)):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class Destination:
    """A storage SCP; `verify` says whether to ask it by C-FIND for what was sent."""

    name: str
    ae_title: str
    host: str
    port: int
    verify: bool = False

    @property
    def address(self) -> str:
        """How it stands in the configuration."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.ae_title}@{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who we say we are, and how long we wait for an answer (s)."""

    ae_title: str = "CRYOMARGIN"
    timeout_s: float = 30.0


def parse_destination(name: str, address: str, *, verify: bool = False) -> Destination:
    """The destination behind "AETITLE@host:port".

    Raises:
        ValueError: It is not such an address.

    >>> parse_destination("archive", "ARCHIVE@[::1]:104").host
    '::1'
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or int(match["port"]) > 65535:
        raise ValueError(f'{address!r} is not an address of the form "AETITLE@host:port"')
    return Destination(name, match["ae_title"].strip(), match["v6"] or match["host"], int(match["port"]), verify)
