"""The minimum that the report states: pictures show this one, not the smallest of what nobody can judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.codes import MM
from service.report.wording import shown, shown_interval
from service.study.model import Vector


@dataclass(frozen=True, slots=True)
class Minimum:
    """The smallest margin that can be judged (`value`, mm), its place (LPS mm) and 95 % interval (mm; ends may be open)."""

    value: float
    place: Vector
    interval: tuple[float, float] | None = None

    @property
    def said(self) -> str:
        """The number, and its interval where there is one.

        >>> Minimum(2.34, (0.0, 0.0, 0.0), (1.25, 3.5)).said
        '2.3 mm, 95 % interval 1.2 to 3.5 mm'
        """
        low, high = (end if np.isfinite(end) else None for end in self.interval or (np.inf, np.inf))
        interval = shown_interval((low, high), MM)
        return shown(self.value, MM) + (f", 95 % interval {interval}" if interval else "")
