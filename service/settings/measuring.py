"""How a study is analysed and what is made of the result: [analysis], [report]."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from service.settings.table import Output, Role, Seconds, Table


class Drawn(Table):
    """More names of drawn contours: words in their labels or codes ("scheme:value"), before the built-in ones."""

    tumor: tuple[str, ...] = ()
    ablation_zone: tuple[str, ...] = ()
    liver: tuple[str, ...] = ()
    vessel: tuple[str, ...] = ()


class RoleTable(Table):
    """What a phase is, whatever its header seems to say; empty texts and 0 ask nothing."""

    role: Role
    scanner: str = ""
    protocol: str = ""
    description: str = ""
    ordinal: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _about_something(self) -> RoleTable:
        if not (self.scanner or self.protocol or self.description):
            raise ValueError("say which phases: scanner, protocol or description")
        return self


class ExamTable(Table):
    """What an exam is where its study description has this form, "*" for any text."""

    exam: Literal["baseline", "periprocedural", "postablation_24h", "followup"]
    description: str

    @model_validator(mode="after")
    def _about_something(self) -> ExamTable:
        if not self.description.strip("*? "):
            raise ValueError("say which exams: description needs a word beside * and ?")
        return self


class Analysis(Table):
    """How a study is analysed, and what one analysis may use.

    `parallel` analyses run at once on this machine (0: as many as its memory and cores bear), `parallel_in_all` on all machines
    together (0: no limit).
    """

    segmenters: Annotated[tuple[Literal["drawn", "network", "classical"], ...], Field(min_length=1)] = ("drawn", "classical")
    memory_mb: Annotated[int, Field(ge=256)] = 2048
    timeout_s: Seconds = 600.0
    processor_s: Seconds = 1800.0
    attempts: Annotated[int, Field(ge=1)] = 3
    parallel: Annotated[int, Field(ge=0)] = 1
    parallel_in_all: Annotated[int, Field(ge=0)] = 0
    drawn: Drawn = Drawn()
    role: tuple[RoleTable, ...] = ()
    exam: tuple[ExamTable, ...] = ()
    network: str = ""

    @model_validator(mode="after")
    def _network_has_its_folder(self) -> Analysis:
        if "network" in self.segmenters and not self.network:
            raise ValueError("the segmenter network needs analysis.network, its folder")
        return self


class Report(Table):
    """Which objects are made of a result, and what identifies the patient on pages and pictures."""

    outputs: Annotated[tuple[Output, ...], Field(min_length=1)] = ("seg", "sr", "sr_places", "summary")
    patient_on_page: Literal["none", "id", "name"] = "none"
