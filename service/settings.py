"""Settings: one TOML file, frozen once read.

`config/service.toml` lists every setting with its default and the reason for it; a test compares that file with the
defaults here. A variable `CRYOMARGIN_<TABLE>__<KEY>` overrides a key of the file. An unknown key is an error, because a
misspelt setting that is silently ignored is a setting that somebody relies on.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

AeTitle = Annotated[str, Field(pattern=r"^[ -\[\]-~]{1,16}$")]
Address = Annotated[str, Field(pattern=r"^[ -?A-\[\]-~]{1,16}@(\[[0-9A-Fa-f:.]+\]|[^@:\s]+):[0-9]{1,5}$")]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
# The roles of the objects that can be made.
Output = Literal["seg", "sr", "sr_places", "summary", "pdf", "kos", "gsps", "parametric_map"]
Syntax = Literal["explicit_vr_little_endian", "implicit_vr_little_endian"]

ENVIRONMENT = "CRYOMARGIN_"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class BadConfig(ValueError):
    """The configuration cannot be used; the text names the file, the key and what is wrong with it."""


class _Table(BaseModel):
    """A table of the file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Storage(_Table):
    """Where instances, results and the embedded databases rest; refuse new instances below `minimum_free_mb`."""

    folder: Path = Path("cryomargin-data")
    minimum_free_mb: Annotated[int, Field(ge=0)] = 1024


class Database(_Table):
    """SQLAlchemy URLs of the index and of the job engine; empty = SQLite files in the storage folder."""

    url: str = ""
    system_url: str = ""


class ListenerTable(_Table):
    """The DICOM address that modalities and the PACS send to."""

    host: str = "127.0.0.1"
    port: Port = 11112
    ae_title: AeTitle = "CRYOMARGIN"
    allowed_calling_ae: tuple[str, ...] = ()
    maximum_associations: Annotated[int, Field(ge=1)] = 50
    drain_s: Seconds = 30.0

    @model_validator(mode="after")
    def _nobody_unknown_from_outside(self) -> ListenerTable:
        """An address that other machines reach needs the list of those who may call; "*" allows everyone knowingly."""
        if self.host not in LOOPBACK and not self.allowed_calling_ae:
            raise ValueError('a host other than loopback needs allowed_calling_ae (["*"] lets everybody in)')
        return self


class Completion(_Table):
    """When a study counts as complete: nothing came for so long, with or without the association being released."""

    quiet_s: Seconds = 60.0
    quiet_after_release_s: Seconds = 10.0


class Drawn(_Table):
    """More names of drawn contours: words in their labels or codes ("scheme:value"), before the built-in ones."""

    tumor: tuple[str, ...] = ()
    ablation_zone: tuple[str, ...] = ()
    liver: tuple[str, ...] = ()
    vessel: tuple[str, ...] = ()


class Analysis(_Table):
    """How a study is analysed, and what one analysis may use."""

    segmenters: Annotated[tuple[Literal["drawn", "classical"], ...], Field(min_length=1)] = ("drawn", "classical")
    memory_mb: Annotated[int, Field(ge=256)] = 2048
    timeout_s: Seconds = 600.0
    attempts: Annotated[int, Field(ge=1)] = 3
    parallel: Annotated[int, Field(ge=1)] = 1
    drawn: Drawn = Drawn()


class Report(_Table):
    """Which objects are made of a result, and what identifies the patient on pages and pictures."""

    outputs: Annotated[tuple[Output, ...], Field(min_length=1)] = ("seg", "sr", "sr_places", "summary")
    patient_on_page: Literal["none", "id", "name"] = "none"


class Delivery(_Table):
    """How results are sent; a destination that is down is asked again after ever longer pauses."""

    ae_title: AeTitle = "CRYOMARGIN"
    timeout_s: Seconds = 30.0
    first_pause_s: Seconds = 5.0
    longest_pause_s: Seconds = 900.0


class DestinationTable(_Table):
    """One receiver of results: address "AETITLE@host:port"; `verify` asks by C-FIND whether they arrived.

    `objects` are those that it gets (empty: all that are made), `transfer_syntaxes` those offered to it, `character_set` the
    one that texts are written in for it.
    """

    name: Annotated[str, Field(min_length=1, max_length=64)]
    address: Address
    verify: Literal["find", "none"] = "none"
    objects: tuple[Output, ...] = ()
    transfer_syntaxes: Annotated[tuple[Syntax, ...], Field(min_length=1)] = (
        "explicit_vr_little_endian",
        "implicit_vr_little_endian",
    )
    character_set: Literal["as_made", "ISO_IR 100", "ISO_IR 192"] = "as_made"


class Web(_Table):
    """The status page and API; `show_patient_id` shows the patient ID on the page of one study, never in a list."""

    host: str = "127.0.0.1"
    port: Port = 8080
    show_patient_id: bool = False


class Worker(_Table):
    """The job worker; `name` is how unfinished jobs are found again after a crash, so it must stay the same."""

    name: Annotated[str, Field(min_length=1)] = "worker-1"
    drain_s: Seconds = 60.0
    self_test: bool = True


class Log(_Table):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=ENVIRONMENT, env_nested_delimiter="__")

    storage: Storage = Storage()
    database: Database = Database()
    listener: ListenerTable = ListenerTable()
    completion: Completion = Completion()
    analysis: Analysis = Analysis()
    report: Report = Report()
    delivery: Delivery = Delivery()
    destination: tuple[DestinationTable, ...] = ()
    web: Web = Web()
    worker: Worker = Worker()
    log: Log = Log()

    @model_validator(mode="after")
    def _distinct_names(self) -> Settings:
        names = [destination.name for destination in self.destination]
        if len(names) != len(set(names)):
            raise ValueError("two destinations have the same name")
        return self

    @model_validator(mode="after")
    def _wanted_is_made(self) -> Settings:
        """A destination that waits for an object that is never made would get nothing, and nobody would know why."""
        for destination in self.destination:
            missing = [role for role in destination.objects if role not in self.report.outputs]
            if missing:
                names = ", ".join(missing)
                raise ValueError(f"destination {destination.name!r} wants {names}, which report.outputs does not have made")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file (which comes in as init arguments); no .env file, no secrets folder."""
        return env_settings, init_settings


def load(path: Path | None = None) -> Settings:
    """The settings of the file at `path` (defaults without one) with the environment's overrides.

    Raises:
        BadConfig: One line for each fault, with file and key.
    """
    place = str(path) if path else "defaults"
    try:
        return Settings(**_read(path))
    except ValidationError as fault:
        raise BadConfig("; ".join(f"{place}: {line}" for line in _faults(fault))) from fault
    except SettingsError as fault:
        raise BadConfig(f"environment {ENVIRONMENT}*: {fault}") from fault


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise BadConfig(f"{path}: cannot be read ({fault.strerror})") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise BadConfig(f"{path}: is not TOML: {fault}") from fault


_PATTERNS = {
    "address": 'must be "AETITLE@host:port", for example "ARCHIVE@192.0.2.10:104"',
    "ae_title": "must have 1 to 16 ASCII characters and no backslash",
}


def _faults(fault: ValidationError) -> list[str]:
    return [_sentence(error["loc"], error["type"], error["msg"]) for error in fault.errors()]


def _sentence(place: tuple[int | str, ...], kind: str, message: str) -> str:
    """One fault in one line.

    >>> _sentence(("listener", "prot"), "extra_forbidden", "Extra inputs are not permitted")
    'listener.prot: there is no such setting'
    """
    key = ".".join(str(part) for part in place)
    pattern = _PATTERNS.get(str(place[-1])) if place and kind == "string_pattern_mismatch" else None
    text = "there is no such setting" if kind == "extra_forbidden" else pattern or message.removeprefix("Value error, ")
    return f"{key}: {text}" if key else text
