"""What an analysis may be told, apart from its study: light, so that a process that only starts analyses loads no engine."""

from __future__ import annotations

from dataclasses import dataclass

OUTPUTS = ("seg", "sr", "sr_places", "summary")  # what is made unless the configuration says otherwise


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """What can change a number, and which objects are made.

    `labels`: (code or word, kind of region) pairs that go before the built-in table. `outputs`: the roles of the objects, in
    any order; `patient_on_page`: what identifies the patient on pages and pictures ("none", "id" or "name").
    """

    segmenters: tuple[str, ...] = ("drawn", "classical")
    labels: tuple[tuple[str, str], ...] = ()
    outputs: tuple[str, ...] = OUTPUTS
    patient_on_page: str = "none"


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known from before this analysis.

    `predecessors` are the SOP Instance UIDs of the reports that its result supersedes, `known_tumors` the tracking UIDs of the
    tumors of the patient's last exam.
    """

    predecessors: tuple[str, ...] = ()
    known_tumors: tuple[str, ...] = ()
