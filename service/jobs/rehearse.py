"""The process of the self-test: `python -m service.jobs.rehearse FOLDER PARENT PIPE`, as `service.jobs.child`.

It makes the three phantoms, analyses each just as a study of a patient, and answers with what was missed. One process for
all three: loading the engine takes longer than measuring a phantom, and the service itself never loads it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from service.jobs.child import ANSWER_FILE, REQUEST_FILE, perform, report
from service.jobs.expected import Expected, shortfalls
from service.jobs.limits import be_first_to_go, die_with_parent
from service.jobs.messages import ANSWER, REQUEST, Answer, Request
from service.jobs.selftest import MET
from service.jobs.trials import Trial, trials
from service.options import AnalysisOptions

MISSED = "self_test.missed"
DRAWN = ("drawn",)  # only drawn contours have a margin that must be met exactly
PAGES = frozenset({"summary", "pdf"})  # take longer to draw than all else of a phantom, and nothing is judged by them
WHEN = datetime(2024, 3, 12, tzinfo=UTC)


def main(arguments: list[str]) -> None:
    """Answer the request for a self-test; only its options count."""
    folder, parent, pipe = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    die_with_parent(parent)
    be_first_to_go()
    options = REQUEST.validate_json((folder / REQUEST_FILE).read_bytes()).options
    answer = verdict(_each(folder, pipe, options))
    (folder / ANSWER_FILE).write_bytes(ANSWER.dump_json(answer))


def rehearse(trial: Trial, folder: Path, options: AnalysisOptions) -> Answer:
    """Analyse one phantom in `folder`, as the analysis process does it."""
    paths = trial.write(folder / "study")
    request = Request(paths, "self-test", WHEN, options=replace(options, segmenters=DRAWN))
    (folder / REQUEST_FILE).write_bytes(REQUEST.dump_json(request))
    silent = os.open(os.devnull, os.O_WRONLY)
    try:
        perform(folder, silent)
    finally:
        os.close(silent)
    return ANSWER.validate_json((folder / ANSWER_FILE).read_bytes())


def judged(answer: Answer, expected: Expected) -> str:
    """What of a phantom was missed, with its name and what it guards; "" when all was met."""
    if answer.record is None:
        return f"phantom '{expected.name}' ({expected.guards}) gave no result: {answer.sentence}"
    missed = shortfalls(answer.record, expected)
    return f"phantom '{expected.name}' ({expected.guards}): {'; '.join(missed)}" if missed else ""


def verdict(missed: Iterable[str]) -> Answer:
    """The answer of the whole self-test."""
    said = [sentence.rstrip(".") for sentence in missed if sentence]
    return Answer(code=MISSED, sentence=". ".join(said)) if said else Answer(code=MET)


def _each(folder: Path, pipe: int, options: AnalysisOptions) -> Iterable[str]:
    """What each phantom missed, one after the other."""
    unpictured = replace(options, outputs=tuple(role for role in options.outputs if role not in PAGES))
    for number, trial in enumerate(trials()):
        report(pipe, trial.expected.name, 33 * number)
        place = folder / trial.expected.name
        place.mkdir()
        yield judged(rehearse(trial, place, unpictured if number else options), trial.expected)


if __name__ == "__main__":
    main(sys.argv[1:])
