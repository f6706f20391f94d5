"""Who may store: this machine, an address of the list, or who knows a token. Nobody else, unless the settings say so."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from fastapi import Request

from service.web.problems import WebProblem

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Guard:
    """Without tokens and networks only loopback is let in. With both, a caller needs both."""

    tokens: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    def check(self, host: str, authorization: str) -> None:
        """Nothing, when the caller may store.

        Raises:
            WebProblem: when it may not (403), or does not say a token that is known (401).
        """
        if not self._knows(host):
            raise WebProblem(403, "forbidden", "This address may not store here: dicomweb.allowed_addresses does not name it.")
        if self.tokens and not self._token_known(authorization):
            raise WebProblem(401, "unauthorized", "A bearer token of dicomweb.tokens is needed.")

    def _knows(self, host: str) -> bool:
        address = _address(host)
        if address is None:
            return False
        if self.networks:
            return any(address in network for network in self.networks)
        return bool(self.tokens) or address.is_loopback

    def _token_known(self, authorization: str) -> bool:
        """Compares with every token in constant time: how long it takes says nothing about them."""
        scheme, _, said = authorization.partition(" ")
        found = [hmac.compare_digest(said.strip().encode(), token.encode()) for token in self.tokens]
        return scheme.lower() == "bearer" and any(found)


def networks(words: Sequence[str]) -> tuple[Network, ...]:
    """The networks of a list of addresses ("192.0.2.7") and networks ("192.0.2.0/24")."""
    return tuple(ip_network(word) for word in words)


def guarded(request: Request) -> None:
    """Let only those through whom the guard of the application knows.

    Raises:
        WebProblem: when the caller may not store.
    """
    guard: Guard = request.app.state.guard
    host = request.client.host if request.client else ""
    guard.check(host, request.headers.get("authorization", ""))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    # An IPv4 peer of a socket that listens on both protocols.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
