"""What the files of a case must say: the numbers of the record, and where the contours lie."""

from __future__ import annotations

from typing import Any

import numpy as np

from service.report.segments import plan
from tests.report.conftest import Sample


def numbers(tumor: dict[str, Any]) -> list[tuple[str, float, str]]:
    """What a record says in numbers, in its order: code, value, unit; then the ends of the interval."""
    found = []
    for finding in tumor["findings"]:
        if finding["value"] is not None:
            found.append((finding["code"]["value"], finding["value"], finding["unit"]["value"]))
            ends = zip(("LOWER95", "UPPER95"), finding["interval"] or (), strict=False)
            found += [(name, end, finding["unit"]["value"]) for name, end in ends if end is not None]
    return found


def centers_meant(given: Sample) -> dict[str, float]:
    segments = plan(given.result)
    if segments.grid is None:
        return {}
    return {
        f"{segment.number} {segment.label} {axis}": float(place)
        for segment in segments.all
        for axis, place in zip("xyz", centroid(segment.mask, segments.grid.affine), strict=True)
    }


def centroid(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return np.asarray(affine[:3, :3] @ np.argwhere(mask).mean(axis=0) + affine[:3, 3])
