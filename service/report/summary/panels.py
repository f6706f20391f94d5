"""The pictures in their places, or in words why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from service.features import margin
from service.features import vessel as vessel_feature
from service.features.finding import Finding
from service.report.pictures.histogram import histogram
from service.report.pictures.minimum import Minimum
from service.report.pictures.narrowest import key, narrowest
from service.report.pictures.sections import Scene
from service.report.pictures.surface_map import surface_map
from service.report.pictures.vessel import PATH, vessel
from service.report.record import answer
from service.report.result import Result, TumorResult
from service.report.summary.sheet import Box, Face, Sheet
from service.report.summary.table import soft

HEADING = Face(10.0, bold=True)
WORDS = Face(10.0)
PAD = 10.0  # pixels between a frame and its words
SCALES = (46.0, 8.0, 14.0, 42.0)  # pixels left of, right of, above and below the histogram
NOT_MEASURED = "It was not measured."
NOT_AT_HAND = "What it was measured on is not at hand: see the source images."


def place_panel(sheet: Sheet, result: Result, tumor: TumorResult | None, boxes: Sequence[Box], legend: Box) -> None:
    """The narrowest place in three planes, and what the lines mean."""
    first, last = boxes[0], boxes[-1]
    minimum, scene = _minimum(tumor), _scene(result, tumor)
    heading = "Narrowest place" if minimum is None else f"Narrowest place: {minimum.said}"
    left = _headed(sheet, Box(first.left, first.top, last.right - first.left, first.height), heading)
    if tumor is None or tumor.surface is None or scene is None or minimum is None:
        _in_words(sheet, left, _why_not_drawn(tumor))
        return
    axes = [sheet.axes(Box(box.left, left.top, box.width, left.height)) for box in boxes]
    narrowest(axes, tumor.surface, scene, minimum.place)
    finding = _finding(tumor, vessel_feature.NAME)
    more = [PATH] if finding is not None and finding.path else []
    key(sheet.axes(legend), sheet.ink, columns=6 + len(more), more=more)


def map_panel(sheet: Sheet, tumor: TumorResult | None, box: Box) -> None:
    """The margin over the whole tumor surface."""
    if tumor is None or tumor.surface is None or tumor.visibility is None:
        _in_words(sheet, _headed(sheet, box, "Margin in all directions"), _why_not_drawn(tumor))
    else:
        surface_map(sheet.axes(box), tumor.surface, tumor.visibility, _minimum(tumor), sheet.ink)


def histogram_panel(sheet: Sheet, tumor: TumorResult | None, box: Box) -> None:
    """How much of the surface has which margin."""
    left = _headed(sheet, box, "Tumor surface by its margin")
    if tumor is None or tumor.surface is None or tumor.visibility is None:
        _in_words(sheet, left, _why_not_drawn(tumor))
        return
    before, after, over, under = SCALES
    inner = Box(left.left + before, left.top + over, left.width - before - after, left.height - over - under)
    axes = sheet.axes(inner)
    histogram(axes, tumor.surface, tumor.visibility, _minimum(tumor), sheet.ink)
    axes.set_ylabel("cm\u00b2")  # of what, says the heading


def vessel_panel(sheet: Sheet, result: Result, tumor: TumorResult | None, box: Box) -> None:
    """The way of a vessel through the margin, where one was followed."""
    finding = _finding(tumor, vessel_feature.NAME)
    scene = _scene(result, tumor)
    if tumor is None or tumor.surface is None or scene is None or finding is None or not finding.path:
        left = _headed(sheet, box, "Vessel in the margin")
        _in_words(sheet, left, *dict.fromkeys(_why(tumor, name) for name in (vessel_feature.NAME, vessel_feature.GAP_NAME)))
        return
    left = _headed(sheet, box, f"Vessel: {answer(finding)}")
    vessel(sheet.axes(left), tumor.surface, scene, finding.path)


def _minimum(tumor: TumorResult | None) -> Minimum | None:
    finding = _finding(tumor, margin.NAME)
    if finding is None or finding.value is None or finding.place is None:
        return None
    return Minimum(finding.value, finding.place, finding.interval)


def _scene(result: Result, tumor: TumorResult | None) -> Scene | None:
    """What planes cut, where all of it is there."""
    if tumor is None or tumor.tumor is None or tumor.zone is None or result.image is None:
        return None
    return Scene(tumor.tumor, tumor.zone, result.liver, result.image)


def _why(tumor: TumorResult | None, name: str) -> str:
    """What the finding says in the place of a picture."""
    finding = _finding(tumor, name)
    if finding is None:
        return NOT_MEASURED
    reason = f" {finding.reason.sentence}" if finding.reason is not None else ""
    return f"{finding.title}: {answer(finding)}.{reason}"


def _why_not_drawn(tumor: TumorResult | None) -> str:
    """Why there is no picture of the margin: it was not measured, or what it was measured on is no longer at hand."""
    finding = _finding(tumor, margin.NAME)
    return NOT_AT_HAND if finding is not None and finding.value is not None else _why(tumor, margin.NAME)


def _finding(tumor: TumorResult | None, name: str) -> Finding | None:
    return next((finding for finding in tumor.findings if finding.name == name), None) if tumor is not None else None


def _headed(sheet: Sheet, box: Box, heading: str) -> Box:
    """Write the heading and give what is left below it."""
    return box.below(sheet.write(heading, box, HEADING) + 2.0)


def _in_words(sheet: Sheet, box: Box, *sentences: str) -> None:
    """Sentences in a frame where a picture would be."""
    sheet.fill(box, sheet.ink.paper, edge=sheet.ink.faint)
    left = Box(box.left + PAD, box.top + PAD, box.width - 2 * PAD, box.height - 2 * PAD)
    for sentence in sentences:
        left = left.below(sheet.write(sentence, left, WORDS, color=soft(sheet.ink)) + PAD)
