"""Who may send over HTTP, and where: [dicomweb]."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from service.settings.receiving import LOOPBACK
from service.settings.table import Port, Seconds, Table

SHORTEST_TOKEN = 20


def _network(text: str) -> str:
    ip_network(text)  # its own words say what is wrong with it
    return text


def _token(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < SHORTEST_TOKEN:
        raise ValueError(f"a token needs {SHORTEST_TOKEN} characters or more, for example of `openssl rand -hex 24`")
    return secret


class DicomWeb(Table):
    """The address for STOW-RS (port 0 = none) and who may store there: by token, by address, by both, or loopback alone."""

    host: str = "127.0.0.1"
    port: Port = 0
    tokens: tuple[Annotated[SecretStr, AfterValidator(_token)], ...] = ()
    allowed_addresses: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    maximum_body_mb: Annotated[int, Field(ge=1)] = 16384
    maximum_connections: Annotated[int, Field(ge=1)] = 20
    stall_s: Seconds = 60.0

    @model_validator(mode="after")
    def _nobody_unknown_from_outside(self) -> DicomWeb:
        """An address that other machines reach needs to say who may store."""
        if self.host not in LOOPBACK and not (self.tokens or self.allowed_addresses):
            raise ValueError("a host other than loopback needs tokens or allowed_addresses")
        return self
