"""The histogram holds the whole surface, and says how sure the minimum is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.patches import Rectangle

from service.codes import MM
from service.report.pictures import histogram
from service.report.pictures.style import BANDS, band
from service.report.wording import shown
from tests.report.pictures.conftest import Drawn, blinded
from tests.report.pictures.reading import line, named, positions, texts


def drawn_histogram(scene: Drawn, interval: tuple[float, float] | None = (2.0, 4.0)) -> Axes:
    (axes,) = histogram.figure(scene.surface, scene.visibility, scene.minimum(interval)).axes
    return axes


def heights(axes: Axes) -> dict[str, float]:
    """The sum of all bars of each kind, cm2."""
    bars = [part for part in axes.containers if isinstance(part, BarContainer)]
    return {str(part.get_label()): sum(bar.get_height() for bar in part.patches) for part in bars}


def test_bars_sum_to_the_surface(shifted: Drawn) -> None:
    """What can be judged and what cannot, each with its own area."""
    seen = blinded(shifted.visibility, shifted.surface, (1.0, 0.0, 0.0))
    areas = shifted.surface.areas / 100.0
    sums = heights(drawn_histogram(replace(shifted, visibility=seen)))
    assert sums == pytest.approx(
        {"assessable": areas[seen.assessable].sum(), "not assessable": areas[~seen.assessable].sum()}, rel=1e-6
    )
    assert sum(sums.values()) == pytest.approx(4 * np.pi * 0.36, rel=0.05)


def test_margins_of_a_shifted_ball_spread_evenly(shifted: Drawn) -> None:
    """Seen from the middle of the zone the area of a shifted ball is even in the square of the distance (Archimedes)."""
    bars = histogram.counted(shifted.surface, shifted.visibility)
    distance = 13.0 - bars.edges
    expected = -np.diff(np.clip(distance, 2.0, 10.0) ** 2) / (10.0**2 - 2.0**2) * 4 * np.pi * 0.36
    assert bars.assessable.sum() == pytest.approx(expected.sum(), rel=0.05)
    assert np.abs(np.cumsum(bars.assessable) - np.cumsum(expected)).max() < 0.07 * expected.sum()


def test_threshold_minimum_and_interval_are_drawn(shifted: Drawn) -> None:
    axes = drawn_histogram(shifted, (1.7, 4.4))
    assert positions(line(axes, "threshold"))[:, 0] == pytest.approx(3.0)
    assert positions(line(axes, "minimum"))[:, 0] == pytest.approx(shifted.surface.minimum)
    (span,) = named(axes, "interval")
    assert isinstance(span, Rectangle)
    assert (span.get_x(), span.get_x() + span.get_width()) == pytest.approx((1.7, 4.4))
    assert "95 % interval 1.7 to 4.4 mm" in axes.get_title()


def test_open_interval_goes_to_the_edge_and_is_said_as_such(shifted: Drawn) -> None:
    axes = drawn_histogram(shifted, (-np.inf, 4.4))
    (span,) = named(axes, "interval")
    assert isinstance(span, Rectangle)
    assert span.get_x() == pytest.approx(axes.get_xlim()[0])
    assert axes.get_xlim()[0] > -1.0
    assert axes.get_title().endswith("95 % interval up to 4.4 mm")


def test_hatch_covers_the_hidden_bars_alone(shifted: Drawn) -> None:
    seen = blinded(shifted.visibility, shifted.surface, (1.0, 0.0, 0.0))
    axes = drawn_histogram(replace(shifted, visibility=seen))
    bars = histogram.counted(shifted.surface, seen)
    points = positions(line(axes, "not assessable"))
    number = np.searchsorted(bars.edges, points[:, 0], side="right") - 1
    foot = bars.assessable[number]
    assert ((points[:, 1] >= foot) & (points[:, 1] <= foot + bars.hidden[number])).all()
    assert set(np.flatnonzero(bars.hidden > 0.05)) <= set(number)
    assert "hatched: not assessable" in texts(axes)


def test_nothing_is_hatched_where_all_is_seen(shifted: Drawn) -> None:
    axes = drawn_histogram(shifted)
    assert not len(positions(line(axes, "not assessable")))
    assert "hatched: not assessable" not in texts(axes)


@pytest.mark.parametrize("margin", [0.0, 3.0, 5.0, 10.0])
def test_bar_up_to_an_edge_has_the_lower_color(shifted: Drawn, margin: float) -> None:
    """A surface with exactly 3 mm everywhere is drawn as not more than 3 mm."""
    surface = replace(shifted.surface, margin=np.full(len(shifted.surface.points), margin))
    bars = histogram.counted(surface, shifted.visibility)
    assert bars.edges.tolist() == [margin - histogram.FINE, margin]
    assert band(bars.edges[1:]).tolist() == [{0.0: 0, 3.0: 1, 5.0: 2, 10.0: 3}[margin]]
    assert len(BANDS) == 5


def test_far_margins_share_the_last_bar(shifted: Drawn) -> None:
    far = np.where(shifted.surface.points[:, 2] > 0, 80.0, 8.0)
    surface = replace(shifted.surface, margin=far)
    axes = drawn_histogram(replace(shifted, surface=surface), (7.0, 9.0))
    bars = histogram.counted(surface, shifted.visibility)
    assert bars.edges[-1] == histogram.FARTHEST
    assert bars.assessable[-1] == pytest.approx(surface.areas[far > 9].sum() / 100.0)
    assert "25 and more in the last bar" in axes.get_xlabel()


def test_without_an_interval_nothing_is_said_of_one(shifted: Drawn) -> None:
    for interval in (None, (-np.inf, np.inf)):
        axes = drawn_histogram(shifted, interval)
        assert not named(axes, "interval")
        assert axes.get_title() == f"Minimum {shown(shifted.surface.minimum, MM)}"


def test_without_a_minimum_none_is_drawn(shifted: Drawn) -> None:
    """Nothing of the surface can be judged: its margin is shown, hatched, without a number that nobody stands for."""
    (axes,) = histogram.figure(shifted.surface, shifted.visibility, None).axes
    assert not named(axes, "minimum")
    assert positions(line(axes, "threshold"))[:, 0] == pytest.approx(3.0)
    assert axes.get_title() == ""
