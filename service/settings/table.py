"""What every table of the configuration is made of: a frozen record, and the types of its values."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Literal, get_args

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
# What a phase may be said to be.
Role = Literal[
    "t1_pre",
    "arterial",
    "portal_venous",
    "delayed",
    "hepatobiliary",
    "in_phase",
    "opposed_phase",
    "t2",
    "dwi",
    "adc",
    "subtraction",
    "localizer",
    "other",
]


def _required(text: str) -> str:
    """Modalities, or roles of series, with bars between them."""
    words, roles = text.split("|"), get_args(Role)
    if not all(word in roles for word in words) and not all(_MODALITY.fullmatch(word) for word in words):
        raise ValueError(
            f'must be modalities ("SEG|RTSTRUCT") or roles of series ("portal_venous|delayed"): {", ".join(roles)}'
        )
    return text


_MODALITY = re.compile(r"[A-Z0-9_]{1,16}")
Required = Annotated[str, AfterValidator(_required)]
Hour = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
# The roles of the objects that can be made.
Output = Literal["seg", "sr", "sr_places", "summary", "pdf", "kos", "gsps", "parametric_map", "not_assessable"]
Syntax = Literal["explicit_vr_little_endian", "implicit_vr_little_endian"]


class Table(BaseModel):
    """A table of the file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")
