"""How long what is kept: [retention]."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from service.settings.table import Hour, Table

Days = Annotated[int, Field(ge=0)]


class Retention(Table):
    """After how many days what leaves (0: never), between which times of the day, and which share of the time that may take.

    `received_days` is for the instances of studies that ended, `results_days` for objects of ours that arrived everywhere,
    `output_days` for what analyses wrote.
    """

    received_days: Days = 0
    results_days: Days = 0
    output_days: Days = 0
    begin: Hour = "22:00"
    end: Hour = "05:00"
    share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1

    @model_validator(mode="after")
    def _some_time(self) -> Retention:
        if self.begin == self.end:
            raise ValueError("begin and end are the same: nothing would ever leave")
        return self
