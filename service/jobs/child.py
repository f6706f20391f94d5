"""The analysis process: `python -m service.jobs.child FOLDER PARENT PIPE`.

FOLDER holds `request.json` and gets the objects and `answer.json`; PARENT is the worker's process id; PIPE is the descriptor
that progress lines are written to. Native code may crash here and costs one attempt, never the service.

The service forks analyses from a process that has loaded already (`nursery`), and starts this one where it cannot.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from service.jobs.limits import be_first_to_go, die_with_parent

if TYPE_CHECKING:  # loaded where it is needed: what only waits for a folder must begin to load soon
    from service.jobs.messages import Answer, Request

REQUEST_FILE = "request.json"
ANSWER_FILE = "answer.json"
LOG_FILE = "log.txt"


def main(arguments: list[str]) -> None:
    """Do what the request says; exit status 0 means that `answer.json` is complete."""
    gc.set_threshold(50_000, 20, 100)  # by default every 700 objects: to look for garbage took a tenth of the time
    place, parent, pipe = arguments[0], int(arguments[1]), int(arguments[2])
    die_with_parent(parent)
    be_first_to_go()
    perform(Path(place), pipe)


def perform(folder: Path, pipe: int) -> None:
    """Read the request, analyse, write objects first and the answer last."""
    from service.jobs.lacking import lacking
    from service.jobs.messages import ANSWER, REQUEST, Answer

    request = REQUEST.validate_json((folder / REQUEST_FILE).read_bytes())
    lacks = lacking(request.paths, request.options, request.required) if request.required else ""
    answer = Answer(lacks=lacks) if lacks else analysed(request, folder, pipe)
    part = folder / f"{ANSWER_FILE}.part"
    part.write_bytes(ANSWER.dump_json(answer))
    part.rename(folder / ANSWER_FILE)


def analysed(request: Request, folder: Path, pipe: int) -> Answer:
    """Analyse, with the objects written into the folder."""
    from service.jobs.analysis import analyse_files, write_made
    from service.jobs.messages import Answer

    outcome = analyse_files(
        request.paths,
        request.options,
        request.created_at,
        content_version=request.content_version,
        earlier=request.earlier,
        progress=lambda stage, percent: report(pipe, stage, percent),
    )
    made = write_made(outcome, folder)
    return Answer(outcome.record, made, outcome.code, outcome.sentence, outcome.failed, outcome.phases, outcome.compared)


def report(pipe: int, stage: str, percent: int) -> None:
    """One line of progress; short enough to arrive in one piece (PIPE_BUF)."""
    os.write(pipe, (json.dumps([stage, percent]) + "\n").encode())


if __name__ == "__main__":
    main(sys.argv[1:])
