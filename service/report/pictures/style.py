"""Colours, sizes and outlines that all pictures share.

Made for a picture 5 inches wide that is shown 500 pixels wide: 10 points are then 14 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.patheffects import AbstractPathEffect, withStroke
from numpy.typing import NDArray

TEXT = 10.0  # points
SMALL = 9.0  # points: the least that is still read at 500 pixels
THRESHOLD = 3.0  # mm; the margin that counts as enough must exceed it
EDGES = (0.0, 3.0, 5.0, 10.0)  # mm between the bands of the margin
# From tumor left behind (dark) to a wide margin (light). Lightness rises by at least 12 of 100 from band to band, so that the
# order survives grey printing, and warm turns to cold where red and green would not be told apart.
BANDS = ("#560a24", "#bb351b", "#e6871e", "#a5d3ea", "#f6fcff")
# Okabe and Ito, Color Universal Design (2008), as the segments that viewers show: vermillion and sky blue; yellow for the ring.
TUMOR, ZONE, RING, LIVER = "#d55e00", "#56b4e9", "#f0e442", "#ffffff"


@dataclass(frozen=True, slots=True)
class Ink:
    """What a picture is drawn on and with: `paper`, `pen`, and `faint` for what only guides the eye."""

    paper: str
    pen: str
    faint: str


ON_BLACK = Ink("#000000", "#ffffff", "#8c8c8c")  # a PACS monitor in a dark room
ON_WHITE = Ink("#ffffff", "#000000", "#707070")  # print


def band(margin: NDArray[np.floating]) -> NDArray[np.int64]:
    """The index in `BANDS` of each margin (mm); an edge belongs to the lower band, as 3 mm is not more than 3 mm."""
    return np.asarray(np.searchsorted(EDGES, margin, side="left"), dtype=np.int64)


def outline(color: str, width: float = 2.5) -> list[AbstractPathEffect]:
    """Text and lines in an outline of `width` points, which keeps them readable on any ground."""
    return [withStroke(linewidth=width, foreground=color)]
