"""The table of findings: each with its answer and interval, or why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.features.finding import Finding, Status
from service.report import record, verdict
from service.report.pictures.style import Ink
from service.report.summary.sheet import Box, Face, Sheet
from service.report.wording import shown_interval

FACES = (9.0, 8.5, 8.0)  # points; a smaller one only when a larger one leaves no room
MOST_LINES = (3, 2, 1)  # of a reason
TITLE, INTERVAL = 0.515, 0.78  # where the answers and the intervals begin, as shares of the width
GAP = 8.0  # pixels between columns
ROOM = 2.0  # pixels between rows
NONE = "There is no finding, as nothing was measured."
STRIPE = {"#000000": "#1c1c1c", "#ffffff": "#eeeeee"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One finding. `interval` is None where the answer, or why there is none, has its place too; `heavy` is set in bold.

    `notes`: the number of the last note that belongs to it, 0 when none does.
    """

    title: str
    answer: str
    interval: str | None
    heavy: bool
    notes: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """How the table is set: face, lines in a cell, and how many of the entries, with their notes, there is room for."""

    face: Face
    most: int
    entries: int
    notes: int


def findings_table(sheet: Sheet, findings: Sequence[Finding], box: Box) -> None:
    """Write all findings and their notes into the box; what finds no room is counted in the last line."""
    if not findings:
        sheet.write(NONE, box, Face(FACES[0]), color=soft(sheet.ink))
        return
    notes = _notes(findings)
    entries = [_entry(finding, notes) for finding in findings]
    plan = _plan(sheet, entries, notes, box)
    left = box.below(_row(sheet, Entry("Finding", "Answer", "95 % interval", heavy=False), box, plan, soft(sheet.ink)))
    for number, entry in enumerate(entries[: plan.entries]):
        height = _height(sheet, entry, box.width, plan.face, plan.most)
        if number % 2 == 0:
            sheet.fill(Box(left.left, left.top, left.width, height), STRIPE[sheet.ink.paper])
        left = left.below(_row(sheet, entry, left, plan, sheet.ink.pen))
    left = left.below(ROOM)
    if plan.entries < len(entries):
        said = f"{len(entries) - plan.entries} more findings in the Structured Report."
        left = left.below(sheet.write(said, left, plan.face))
    sheet.write(_numbered(notes[: plan.notes]), left, plan.face, color=soft(sheet.ink))


def soft(ink: Ink) -> str:
    """What is read second: less bright than the findings, and still read on a grey monitor."""
    return "#c8c8c8" if ink.paper == "#000000" else "#383838"


def _notes(findings: Sequence[Finding]) -> list[str]:
    """The sentences below the table: those that belong to an answer, and reasons that several findings share."""
    reasons = Counter(finding.reason.sentence for finding in findings if _without_answer(finding) and finding.reason)
    said: list[str] = []
    for finding in findings:
        if finding.reason is not None and (not _without_answer(finding) or reasons[finding.reason.sentence] > 1):
            said.append(finding.reason.sentence)
        if finding.note:
            said.append(finding.note)
    return list(dict.fromkeys(said))


def _numbered(notes: Sequence[str]) -> str:
    return "  ".join(f"[{number}] {note}" for number, note in enumerate(notes, start=1))


def _entry(finding: Finding, notes: Sequence[str]) -> Entry:
    sentence = finding.reason.sentence if finding.reason is not None else ""
    marks = [str(notes.index(text) + 1) for text in (sentence, finding.note) if text in notes]
    mark, last = f" [{', '.join(marks)}]" if marks else "", max(map(int, marks), default=0)
    heavy = finding.name in verdict.FEATURES
    words = record.answer(finding)
    if not _without_answer(finding):
        interval = shown_interval(record.bounds(finding), finding.unit)
        return Entry(finding.title, f"{words}{mark}", interval or None, heavy, last)
    words = f"{words}: see" if sentence in notes else f"{words}: {sentence}"
    return Entry(finding.title, f"{words}{mark}", None, heavy, last)


def _without_answer(finding: Finding) -> bool:
    return finding.status is not Status.MEASURED


def _plan(sheet: Sheet, entries: Sequence[Entry], notes: Sequence[str], box: Box) -> Plan:
    """The largest face in which everything finds room; else the smallest, and as many findings as there is room for."""
    for most in MOST_LINES:
        for face in map(Face, FACES):
            heights = [_height(sheet, entry, box.width, face, most) for entry in entries]
            everything = Plan(face, most, len(entries), len(notes))
            if _taken(sheet, heights, notes, everything, box.width) <= box.height:
                return everything
    for number in range(len(entries) - 1, 0, -1):
        # What belongs to a finding (that it predicts nothing, that it is a bound) stands with it: notes are never cut off.
        plan = Plan(face, most, number, max(entry.notes for entry in entries[:number]))
        if face.pitch + _taken(sheet, heights, notes, plan, box.width) <= box.height:
            return plan
    return Plan(face, most, 0, 0)


def _taken(sheet: Sheet, heights: Sequence[float], notes: Sequence[str], plan: Plan, width: float) -> float:
    """The height of the head, of the rows (each of which has its own of `heights`) and of their notes, pixels."""
    below = len(sheet.lines(_numbered(notes[: plan.notes]), plan.face, width, 99)) * plan.face.pitch
    return plan.face.pitch + 2 * ROOM + sum(heights[: plan.entries]) + below


def _height(sheet: Sheet, entry: Entry, width: float, face: Face, most: int) -> float:
    """Of a row, pixels."""
    face = Face(face.size, entry.heavy)
    return max(len(sheet.lines(text, face, cell, most)) for text, _, cell in _cells(entry, width)) * face.pitch + ROOM


def _row(sheet: Sheet, entry: Entry, box: Box, plan: Plan, color: str) -> float:
    """Write a row at the top of the box and give its height, pixels."""
    face = Face(plan.face.size, entry.heavy)
    for text, left, width in _cells(entry, box.width):
        cell = Box(box.left + left, box.top + ROOM / 2.0, width, plan.most * face.pitch)
        sheet.write(text, cell, face, color=color)
    return _height(sheet, entry, box.width, plan.face, plan.most)


def _cells(entry: Entry, width: float) -> Iterator[tuple[str, float, float]]:
    """The texts of a row, each with the left edge and the width of its cell, pixels."""
    answers, intervals = TITLE * width, INTERVAL * width
    end = width if entry.interval is None else intervals
    yield entry.title, GAP / 2.0, answers - GAP
    yield entry.answer, answers + GAP / 2.0, end - answers - GAP
    if entry.interval is not None:
        yield entry.interval, intervals + GAP / 2.0, width - intervals - GAP
