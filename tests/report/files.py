"""Every case as files: what validators and readers of other people are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from service.options import AnalysisOptions
from service.report.compose import OUTPUTS, compose, compose_refusal, to_bytes
from tests.report.conftest import Sample

# A page takes seconds to draw, and its object differs little from case to case: these cases have one.
DRAWN = {"summary": ("no_tumor", "name_in_japanese"), "pdf": ("enhanced", "long_texts")}
# Of these there is also the report of why nothing was measured.
REFUSED = ("one_tumor", "enhanced", "name_in_japanese", "procedure")


@dataclass(frozen=True)
class Files:
    """The objects of a case by role, and the images they were made from."""

    given: Sample
    made: Mapping[str, Path]
    sources: tuple[Path, ...]


def write(folder: Path, name: str, given: Sample) -> Files:
    roles = tuple(role for role, _ in OUTPUTS if name in DRAWN.get(role, (name,)))
    made, sources = {}, []
    for one in compose(given.result, given.sources, AnalysisOptions(outputs=roles)):
        made[one.role] = folder / f"{name}.{one.role}.dcm"
        made[one.role].write_bytes(to_bytes(one))
    if name in REFUSED:
        nothing = replace(given.result, tumors=(), verdict="", liver=None, vessels=None)
        (one,) = compose_refusal(nothing, given.sources, "The slices have gaps: send the series whole. [geometry.gap]")
        made[one.role] = folder / f"{name}.{one.role}.dcm"
        made[one.role].write_bytes(to_bytes(one))
    for number, image in enumerate(given.sources):
        sources.append(folder / f"{name}.source{number}.dcm")
        image.save_as(sources[-1], enforce_file_format=True)
    return Files(given, made, tuple(sources))
