"""A line of text on the page, set at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import RendererAgg, get_hinting_flag
from matplotlib.colors import to_rgb
from matplotlib.font_manager import get_font
from matplotlib.text import Text
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Letters:
    """How much a line covers of each pixel (rows, columns), 0-255, the first column being at its place.

    `width` is from there to its end, `below` the number of rows below the base line, both pixels.
    """

    cover: NDArray[np.uint8]
    width: float
    below: int


class Line(Text):
    """Text in one line, without mathematics, that stands on its baseline right or left of its place.

    On a raster it is set in whole pixels, all letters at once. The drawing library would shape it to measure it, shape it again
    to draw it, and then draw letter by letter, each turned and moved: most of the time of a page. In a document of vectors
    the library writes it.
    """

    def draw(self, renderer: RendererBase, *given: Any, **named: Any) -> None:
        """Draw the line; what else the library's texts can be (turned, wrapped, outlined, hidden) none of a page is."""
        font = self.get_fontproperties()
        letters = None
        if isinstance(renderer, RendererAgg):
            letters = _set(self.get_text(), str(font.get_file()), font.get_size_in_points(), renderer.dpi)
        if letters is None:
            super().draw(renderer, *given, **named)
            return
        self._renderer = renderer
        x, y = self.get_transform().transform(self.get_position())
        left = x - (letters.width if self.get_horizontalalignment() == "right" else 0.0)
        image = _inked(letters.cover, self.get_color())
        renderer.draw_image(renderer.new_gc(), round(left), round(y) - letters.below, image)
        self.stale = False


@lru_cache(maxsize=1024)  # pages have most of their lines in common
def _set(text: str, file: str, size: float, dpi: float) -> Letters | None:
    """The letters of a line; none where the first one begins beside a pixel: the others would be rounded another way."""
    font = get_font(file)
    font.clear()
    font.set_size(size, dpi)
    font.set_text(text, 0.0, flags=get_hinting_flag())  # type: ignore[no-untyped-call]
    if font.get_bitmap_offset()[0]:
        return None
    font.draw_glyphs_to_bitmap(antialiased=True)
    cover, (width, height) = np.array(font.get_image()), font.get_width_height()
    above = (height - font.get_descent()) // 64 + 1  # the image has an empty row above the highest letter
    return Letters(cover, width / 64.0, len(cover) - above)


def _inked(cover: NDArray[np.uint8], color: Any) -> NDArray[np.uint8]:
    """The line as an image, from its lowest row up: (rows, columns, red green blue alpha)."""
    image = np.empty((*cover.shape, 4), np.uint8)
    image[..., :3] = np.round(np.multiply(to_rgb(color), 255.0))
    image[..., 3] = cover
    return image[::-1]
