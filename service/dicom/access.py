"""Who may call: the called AE title, and calling AE titles with the networks that they may call from.

An AE title is a name that anybody can give, so it is worth something only together with an address.
Source of the reasons of a rejection: DICOM PS3.8 table 9-21.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

EVERYBODY = "*"
_LONGEST_WORD = 64
CALLING_NOT_RECOGNISED, CALLED_NOT_RECOGNISED = 3, 7

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class CallerRule:
    """A calling AE title ("*": any) that is let in from `network`; None: from anywhere."""

    ae_title: str
    network: Network | None = None

    def knows(self, ae_title: str) -> bool:
        """Whether the rule is about this AE title."""
        return self.ae_title in (EVERYBODY, ae_title)

    def lets_in(self, address: str) -> bool:
        """Whether it may call from this IP address."""
        return self.network is None or _ip(address) in self.network


@dataclass(frozen=True, slots=True)
class Denied:
    """Why an association is rejected: the diagnostic for the caller, a sentence for the log and the page."""

    diagnostic: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one listener. Without a rule only this machine itself may call."""

    ae_title: str
    rules: tuple[CallerRule, ...] = ()

    def denial(self, called: str, calling: str, address: str) -> Denied | None:
        """Why this caller is not let in; None when it is."""
        if called != self.ae_title:
            return Denied(CALLED_NOT_RECOGNISED, "The called AE title is not that of this service.")
        if not self.rules:
            return None if _ip(address).is_loopback else _stranger("No caller is configured, so only this machine may call.")
        about = [rule for rule in self.rules if rule.knows(calling)]
        if any(rule.lets_in(address) for rule in about):
            return None
        return _stranger(
            "This AE title may not call from this address." if about else "The calling AE title is not on the list."
        )


def parse_caller(text: str) -> CallerRule:
    """The rule "AETITLE@address" or "AETITLE@network", for example "MR1@192.0.2.17", "*@10.1.0.0/16", "PACS@2001:db8::/64".

    Raises:
        ValueError: It is no such rule.

    >>> parse_caller("MR1@192.0.2.0/24").lets_in("192.0.2.17")
    True
    """
    ae_title, _, network = text.rpartition("@")
    if not ae_title.strip():
        raise ValueError(f'{text!r} is not of the form "AETITLE@network"')
    return CallerRule(ae_title.strip(), ip_network(network))


def access_of(ae_title: str, anywhere: Iterable[str], callers: Iterable[str]) -> Access:
    """The access to `ae_title`: AE titles that may call from anywhere, and rules as `parse_caller` reads them."""
    rules = [CallerRule(title.strip()) for title in anywhere]
    return Access(ae_title.strip(), (*rules, *(parse_caller(caller) for caller in callers)))


def printable(text: str) -> str:
    r"""What the wire said of itself as one short line that any database, log and page can hold.

    >>> printable("MR1\x00\n<b>")
    'MR1<b>'
    """
    return "".join(char for char in text if char.isprintable()).strip()[:_LONGEST_WORD]


def _stranger(sentence: str) -> Denied:
    return Denied(CALLING_NOT_RECOGNISED, sentence)


def _ip(address: str) -> IPv4Address | IPv6Address:
    """The address of a socket; a listener for both versions shows IPv4 callers as ::ffff:192.0.2.1."""
    found = ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
