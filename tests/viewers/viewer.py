"""What a radiologist does in OHIF: open a study, double-click a series, go to a slice, look."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import numpy as np

from service.study.model import Vector
from tests.viewers.browser import Browser, Picture

VIEWPORT = "cornerstone.getRenderingEngines()[0].getViewports()[0]"
SERIES = "[...document.querySelectorAll('[data-cy^=\"study-browser-thumbnail\"]')]"
READY = (
    f"window.cornerstone && cornerstone.getRenderingEngines().length && {VIEWPORT}?.getCurrentImageId?.() && {SERIES}.length"
)
SKIP_TOUR = "[...document.querySelectorAll('*')].some(e => e.textContent === 'Skip all' && e.click() === undefined)"
STILL_S = 0.5


@dataclass(frozen=True, slots=True)
class Viewer:
    """OHIF at `address` in a browser that shows it alone."""

    browser: Browser
    address: str

    def open(self, study_uid: str) -> None:
        """Open a study as a link from a PACS does, without the tour for newcomers."""
        self.browser.open(f"{self.address}/viewer?StudyInstanceUIDs={study_uid}")
        self.browser.wait(READY)
        self.browser.wait(SKIP_TOUR)
        self.browser.ask("localStorage.clear()")  # the tour comes each time, so that every test begins alike
        self.still()

    def series(self) -> list[str]:
        """What the list of series says, one text a series."""
        listed = self.browser.ask(f"{SERIES}.map(e => e.innerText)")
        return [" ".join(text.split()) for text in listed]

    def show(self, description: str) -> None:
        """Double-click the series with this description."""
        found = f"{SERIES}.find(e => e.innerText.includes({json.dumps(description)}))"
        middle = "r => [r.x + r.width / 2, r.y + r.height / 2]"
        place = self.browser.ask(
            f"(e => e ? (e.scrollIntoView({{block: 'center'}}), ({middle})(e.getBoundingClientRect())) : null)({found})"
        )
        assert place is not None, f"{description} is not among {self.series()}"
        self.browser.double_click(*place)

    def go_to(self, point: Vector) -> Picture:
        """The `image` of the slice nearest to a point (LPS mm) of an axial series."""
        self.browser.ask(
            f"""(async () => {{
                const height = id => cornerstone.metaData.get('imagePlaneModule', id).imagePositionPatient[2];
                const away = {VIEWPORT}.getImageIds().map(id => Math.abs(height(id) - ({point[2]})));
                await {VIEWPORT}.setImageIdIndex(away.indexOf(Math.min(...away)));
            }})()"""
        )
        return self.still()

    def place(self, point: Vector) -> tuple[float, float]:
        """Where a point (LPS mm) lies on `image`, (x, y) pixels, by the geometry of the images alone."""
        x, y = self.browser.ask(f"(([x, y]) => [x, y])({VIEWPORT}.worldToCanvas({list(point)}))")
        return float(x), float(y)

    def pixels_a_mm(self, point: Vector) -> float:
        """How large a millimetre is about a point."""
        x, y, z = point
        return self.place((x + 1.0, y, z))[0] - self.place(point)[0]

    def height(self) -> float:
        """LPS z (mm) of the slice that is shown."""
        return float(self.browser.ask(f"{VIEWPORT}.getCamera().focalPoint[2]"))

    def image(self) -> Picture:
        """The part of the screen that shows the image and what lies on it."""
        return self._image_in(self.browser.picture())

    def segment_colors(self) -> dict[str, tuple[int, int, int]]:
        """Red, green and blue of each segment that is loaded, by its label."""
        listed = self.browser.ask(
            f"""services.segmentationService.getSegmentations().flatMap(one => Object.values(one.segments).map(segment => [
                segment.label, cornerstoneTools.segmentation.config.color.getSegmentIndexColor(
                    {VIEWPORT}.id, one.segmentationId, segment.segmentIndex)]))"""
        )
        return {label: (color[0], color[1], color[2]) for label, color in listed}

    def texts(self) -> list[str]:
        """The texts that are drawn on the image."""
        return list(self.browser.ask("[...document.querySelectorAll('.viewport-element svg text')].map(e => e.textContent)"))

    def ends_of_texts(self) -> list[float]:
        """The right ends of these texts on `image`, pixels."""
        ends = "[...document.querySelectorAll('.viewport-element svg text')].map(e => e.getBoundingClientRect().right)"
        return [end - self.browser.ask(f"{VIEWPORT}.canvas.getBoundingClientRect().x") for end in self.browser.ask(ends)]

    def still(self, seconds: float = 30) -> Picture:
        """The `image` once nothing on the screen changes any more."""
        deadline = time.monotonic() + seconds
        before = self.browser.picture()
        while True:
            time.sleep(STILL_S)
            now = self.browser.picture()
            if np.array_equal(before, now):
                return self._image_in(now)
            assert time.monotonic() < deadline, "the page never comes to rest"
            before = now

    def _image_in(self, picture: Picture) -> Picture:
        box = self.browser.wait(f"(b => b && [b.x, b.y, b.width, b.height])({VIEWPORT}?.canvas?.getBoundingClientRect())")
        x, y, width, height = (round(value) for value in box)
        return picture[y : y + height, x : x + width]
