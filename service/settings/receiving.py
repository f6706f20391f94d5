"""What comes in and where it rests: [storage], [database], [listener], [completion]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from service.settings.encryption import ListenerTls
from service.settings.table import AeTitle, CallerRule, Port, Required, Seconds, Table

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Storage(Table):
    """Where instances, results and the embedded databases rest; refuse new instances below `minimum_free_mb`.

    Objects that cannot be understood are kept apart, at most `quarantine_objects` of them, `quarantine_mb` in all.
    """

    folder: Path = Path("cryomargin-data")
    minimum_free_mb: Annotated[int, Field(ge=0)] = 1024
    quarantine_objects: Annotated[int, Field(ge=0, le=10000)] = 500
    quarantine_mb: Annotated[int, Field(ge=0)] = 256


class Database(Table):
    """SQLAlchemy URLs of the index and of the job engine; empty = SQLite files in the storage folder."""

    url: str = ""
    system_url: str = ""


class ListenerTable(Table):
    """The DICOM address that modalities and the PACS send to, and who may call it: by AE title, or by AE title and network.

    While `maximum_waiting_studies` wait for their analysis (0: no limit), new associations are told to come later.
    """

    host: str = "127.0.0.1"
    port: Port = 11112
    ae_title: AeTitle = "CRYOMARGIN"
    allowed_calling_ae: tuple[str, ...] = ()
    allowed_callers: tuple[CallerRule, ...] = ()
    maximum_associations: Annotated[int, Field(ge=1)] = 50
    maximum_waiting_studies: Annotated[int, Field(ge=0)] = 0
    drain_s: Seconds = 30.0
    fast: bool = True
    stall_s: Seconds = 30.0
    maximum_half_open: Annotated[int, Field(ge=1)] = 100
    maximum_half_open_per_peer: Annotated[int, Field(ge=1)] = 32

    tls: ListenerTls = ListenerTls()

    @model_validator(mode="after")
    def _nobody_unknown_from_outside(self) -> ListenerTable:
        """An address that other machines reach needs the list of those who may call; "*" allows everyone knowingly."""
        if self.host not in LOOPBACK and not (self.allowed_calling_ae or self.allowed_callers):
            raise ValueError(
                'a host other than loopback needs allowed_callers, or allowed_calling_ae (["*"] lets everybody in)'
            )
        return self


class Completion(Table):
    """When a study counts as complete: nothing came for so long, with or without the association being released.

    Of each of `require` (modalities, "SEG|RTSTRUCT", or roles of series, "portal_venous|delayed") it must then hold one, but it
    waits no longer than `longest_wait_s`.
    """

    quiet_s: Seconds = 60.0
    quiet_after_release_s: Seconds = 10.0
    require: tuple[Required, ...] = ()
    longest_wait_s: Seconds = 86400.0
