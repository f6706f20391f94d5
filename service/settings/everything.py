"""All tables as one frozen record."""

from __future__ import annotations

from pydantic import model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from service.settings.dicomweb import DicomWeb
from service.settings.keeping import Retention
from service.settings.measuring import Analysis, Report
from service.settings.receiving import Completion, Database, ListenerTable, Storage
from service.settings.running import Log, Metrics, Web, Worker
from service.settings.sending import Delivery, DestinationTable

ENVIRONMENT = "CRYOMARGIN_"


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=ENVIRONMENT, env_nested_delimiter="__")

    storage: Storage = Storage()
    database: Database = Database()
    listener: ListenerTable = ListenerTable()
    dicomweb: DicomWeb = DicomWeb()
    completion: Completion = Completion()
    analysis: Analysis = Analysis()
    report: Report = Report()
    delivery: Delivery = Delivery()
    destination: tuple[DestinationTable, ...] = ()
    retention: Retention = Retention()
    web: Web = Web()
    metrics: Metrics = Metrics()
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
