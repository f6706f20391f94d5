"""What every table of the configuration is made of: a frozen record, and the types of its values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

AeTitle = Annotated[str, Field(pattern=r"^[ -\[\]-~]{1,16}$")]
Address = Annotated[str, Field(pattern=r"^[ -?A-\[\]-~]{1,16}@(\[[0-9A-Fa-f:.]+\]|[^@:\s]+):[0-9]{1,5}$")]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
# The roles of the objects that can be made.
Output = Literal["seg", "sr", "sr_places", "summary", "pdf", "kos", "gsps", "parametric_map"]
Syntax = Literal["explicit_vr_little_endian", "implicit_vr_little_endian"]


class Table(BaseModel):
    """A table of the file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")
