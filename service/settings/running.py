"""What runs and what people see of it: [web], [metrics], [worker], [log]."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from service.settings.table import Port, Seconds, Table


class Web(Table):
    """The status page and API; `show_patient_id` shows the patient ID on the page of one study, never in a list.

    `user_header` is the one in which the proxy says who asks; empty: nobody is known, and the audit says "local".
    """

    host: str = "127.0.0.1"
    port: Port = 8080
    show_patient_id: bool = False
    user_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]*$")] = ""


class Metrics(Table):
    """An address of its own for the metrics of this process, where it has no web; port 0 = none."""

    host: str = "127.0.0.1"
    port: Port = 0


class Worker(Table):
    """The job worker; `name` is how unfinished jobs are found again after a crash, so it must stay the same.

    It shows every `heartbeat_s` that it lives; what one leaves that does not is taken over before three of them have passed.
    """

    name: Annotated[str, Field(min_length=1)] = "worker-1"
    drain_s: Seconds = 60.0
    heartbeat_s: Seconds = 15.0
    self_test: bool = True


class Log(Table):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
