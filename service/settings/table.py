"""What every table of the configuration is made of: a frozen record, and the types of its values."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _caller(text: str) -> str:
    """An AE title with the address or network that it may call from."""
    ae_title, _, network = text.rpartition("@")
    if not 1 <= len(ae_title) <= 16:
        raise ValueError('must be "AETITLE@address" or "AETITLE@network", for example "MR1@192.0.2.17", "*@192.0.2.0/24"')
    ip_network(network)  # its own words say what is wrong with it
    return text


CallerRule = Annotated[str, AfterValidator(_caller)]

AeTitle = Annotated[str, Field(pattern=r"^[ -\[\]-~]{1,16}$")]
Address = Annotated[
    str,
    Field(pattern=r"^(https?://[^@\s?#/]+(/[^@\s?#]*)?|[ -?A-\[\]-~]{1,16}@(\[[0-9A-Fa-f:.]+\]|[^@:\s]+):[0-9]{1,5})$"),
]
Modalities = Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,16}(\|[A-Z0-9_]{1,16})*$")]
Hour = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
# The roles of the objects that can be made.
Output = Literal["seg", "sr", "sr_places", "summary", "pdf", "kos", "gsps", "parametric_map", "not_assessable"]
Syntax = Literal["explicit_vr_little_endian", "implicit_vr_little_endian"]


class Table(BaseModel):
    """A table of the file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")
