"""How the slices of the reference phase are shown in grey: a presentation state that says nothing of it shows them dark.

Source: DICOM PS3.3 C.11.1 (modality LUT), C.11.8 (softcopy VOI LUT), PS3.4 N.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from service.report.draft import Draft
from service.report.grid import Grid
from service.study.model import Plane

WINDOW = (1.0, 99.5)  # percent of the values of a slice shown black and white, where the image states no window

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Grayscale:
    """`rescale`: intercept and slope, None where the images state none; `windows`: center and width for planes (k)."""

    rescale: Pair | None
    windows: tuple[tuple[int, Pair], ...]


def grayscale(draft: Draft, grid: Grid, planes: Sequence[int]) -> Grayscale:
    """How the planes (k) are shown: as they say themselves, else by their values.

    Where their rescaling differs no presentation state can hold it: then values stay as they are stored, without a window.
    """
    headers = {source.get("SOPInstanceUID"): source for source in draft.sources}
    stated = [(k, _stated(headers.get(grid.planes[k].instance.sop_instance_uid), grid.planes[k])) for k in planes]
    rescales = {_pair(found, "RescaleIntercept", "RescaleSlope") for _, found in stated}
    if len(rescales) > 1:
        return Grayscale(None, ())
    windows = ((k, _pair(found, "WindowCenter", "WindowWidth") or _seen(draft, grid, k)) for k, found in stated)
    return Grayscale(rescales.pop(), tuple((k, window) for k, window in windows if window is not None))


def _stated(source: Dataset | None, plane: Plane) -> Dataset:
    """What an image says of its grey values; of an Enhanced one, what its functional groups say of the frame."""
    found = Dataset()
    if source is None:
        return found
    frames = source.get("PerFrameFunctionalGroupsSequence") or ()
    groups = [*(source.get("SharedFunctionalGroupsSequence") or ()), *frames[plane.frame.number - 1 : plane.frame.number]]
    macros = (item for group in groups for name in _MACROS for item in group.get(name) or ())
    for part in (source, *macros):
        found.update({element.tag: element for element in part if element.keyword in _ATTRIBUTES})
    return found


_MACROS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")
_ATTRIBUTES = frozenset({"RescaleIntercept", "RescaleSlope", "WindowCenter", "WindowWidth"})


def _pair(found: Dataset, *keywords: str) -> Pair | None:
    """Two numbers, the first of each where there are several; None where one is missing or cannot be used."""
    values = [np.atleast_1d(found.get(keyword) if found.get(keyword) is not None else np.nan)[0] for keyword in keywords]
    first, second = (float(value) for value in values)
    return (first, second) if np.isfinite([first, second]).all() and second > 0 else None


def _seen(draft: Draft, grid: Grid, k: int) -> Pair | None:
    """The window of the values in a plane, which the volume holds on the same grid."""
    image = draft.result.image
    if image is None or image.shape != grid.shape or not np.allclose(image.affine, grid.affine, atol=1e-3):
        return None
    values = image.values[k][np.isfinite(image.values[k])]
    if not values.size:
        return None
    low, high = np.percentile(values, WINDOW)
    return float(low + high) / 2.0, float(max(high - low, 1.0))
