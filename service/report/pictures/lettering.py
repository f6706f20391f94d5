"""Text in pictures."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.text import Annotation

from service.report.pictures.style import TEXT, outline


def write(
    axes: Axes, text: str, place: tuple[float, float], offset: tuple[float, float] = (0.0, 0.0), **look: Any
) -> Annotation:
    """Write `text` at `place` (data units unless `xycoords` says otherwise) moved by `offset` points."""
    settled = {"fontsize": TEXT, "ha": "center", "va": "center", **look}
    return axes.annotate(text, place, offset, textcoords="offset points", annotation_clip=False, **settled)


def write_outlined(
    axes: Axes, text: str, place: tuple[float, float], offset: tuple[float, float] = (0.0, 0.0), **look: Any
) -> Annotation:
    """The same in white with a black outline, for any ground."""
    return write(axes, text, place, offset, **{"color": "white", "path_effects": outline("black", 3.0), "zorder": 7, **look})
