"""The way of a vessel through the margin: the widest path of enhancing tissue from liver outside the zone to the tumor.

The component of enhancing cells inside the zone that hangs together with the zone's edge, at the highest threshold at which
it still reaches the tumor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.graph import MCP_Geometric

from service.regions.vessel_lumen import narrowest
from service.regions.vessel_scene import Cells, Scene
from service.study.model import Vector
from service.volumes.volume import Matrix

# Of a full lumen; liver lies at .35, a hyperaemic rim at .48. The limits were set on phantoms with even seeds.
SURE = 0.6  # where a margin is so thin that a rim may cross it because a contour is off
SURE_DEEP = 0.23  # elsewhere; a vessel that passes at 2 mm comes to .2, nothing else beyond .1
SIGMAS = 6.0  # of noise above ablated tissue: a path may pick the best of hundreds of cells
LUMEN = 0.4  # the end of a lumen, blurred
FAINT = 0.18  # a lumen of 2 mm that fills its voxels in part
VESSEL = 0.75  # brighter than a rim with its noise
LEAST_BESIDE = 6  # cells of that, for a vessel beside the zone
ENTERS = 4.0  # mm inside the zone's edge: nearer, a rim may lie inside a contour that is a little too wide
NEARLY_AS_BRIGHT = 0.9  # of the widest path: what the axis may run through
SMOOTHING = 1.0  # cells


@dataclass(frozen=True, slots=True)
class VesselPath:
    """The strongest connection across the margin. Uptake is 0 in ablated tissue, 1 in a full lumen.

    `bottleneck`: its weakest uptake; `noise`: the SD of uptake; `crosses`: it is beyond doubt, as far as contours go. `gap`
    (mm): what a lumen well inside the zone leaves to the tumor, infinite without one. `faint`: something fainter than a lumen
    runs well inside the zone. `abuts`: a vessel runs beside the zone.
    `whole`: all of the margin is at least two voxels thick and covered by the image; `thin`: the share (0-1) of the tumor's
    surface where it is not so thick. `line`: the axis of the lumen from the zone's edge to the tumor, or to where it comes
    nearest to it, LPS mm; empty without a lumen. `diameter` (mm): of the lumen where it is narrowest along the line, None
    without a line.
    """

    bottleneck: float
    noise: float
    crosses: bool
    gap: float
    faint: bool
    abuts: bool
    whole: bool
    thin: float
    line: tuple[Vector, ...] = ()
    diameter: float | None = None

    @property
    def enters(self) -> bool:
        """Whether a lumen runs well inside the zone."""
        return bool(np.isfinite(self.gap))

    @property
    def contrast(self) -> float:
        """How many standard deviations of noise the weakest place of the path lies above ablated tissue."""
        return self.bottleneck / max(self.noise, 1e-6)

    @property
    def length(self) -> float:
        """Of the line, mm."""
        return float(np.linalg.norm(np.diff(np.array(self.line), axis=0), axis=1).sum()) if len(self.line) > 1 else 0.0


def vessel_path(scene: Scene) -> VesselPath:
    """The widest path in a scene."""
    found = {name: _bottleneck(scene, where) for name, where in (("deep", scene.deep), ("thick", scene.thick))}
    through = next((name for name, least in (("deep", SURE_DEEP), ("thick", SURE)) if found[name] >= _sure(scene, least)), "")
    lumen = _inside(scene, LUMEN)
    gap = float(scene.to_tumor[lumen].min()) if lumen.any() else np.inf
    if through:
        where = scene.deep if through == "deep" else scene.thick
        line = _axis(scene, _reaching(scene, where, NEARLY_AS_BRIGHT * found[through]), scene.inner)
    else:
        line = _axis(scene, _reaching(scene, scene.margin, _sure(scene, LUMEN)), lumen & (scene.to_tumor <= gap + 1e-6))
    return VesselPath(
        bottleneck=found[through] if through else _bottleneck(scene, scene.margin),
        noise=scene.noise,
        crosses=bool(through),
        gap=gap,
        faint=bool(_inside(scene, FAINT).any()),
        abuts=int((scene.beside & (scene.uptake >= VESSEL)).sum()) >= LEAST_BESIDE,
        whole=scene.whole,
        thin=scene.thin,
        line=line,
        diameter=narrowest(scene, np.array(line)) if len(line) > 1 else None,
    )


def _sure(scene: Scene, least: float) -> float:
    """The uptake that is more than chance, and at least this."""
    return max(least, SIGMAS * scene.noise)


def _inside(scene: Scene, least: float) -> Cells:
    """Cells well inside the zone of what is at least so bright and begins at the zone's edge."""
    return np.asarray(_reaching(scene, scene.margin, _sure(scene, least)) & (scene.depth >= ENTERS), dtype=bool)


def _axis(scene: Scene, through: Cells, ends: Cells) -> tuple[Vector, ...]:
    """The way along the brightest of `through` from the margin's outer face to one of `ends` (Dijkstra)."""
    starts, goals = np.argwhere(through & scene.outer), np.argwhere(through & ends)
    if not len(starts) or not len(goals):
        return ()
    bright = np.maximum(ndimage.gaussian_filter(scene.uptake, SMOOTHING), 0.05)
    ways = MCP_Geometric(np.where(through, bright**-3, np.inf), sampling=scene.grid.spacing)
    total, _ = ways.find_costs(starts, goals)
    goal = min(goals, key=lambda cell: float(total[tuple(cell)]))
    points = scene.grid.to_mm(_smooth(np.array(ways.traceback(goal), dtype=np.float64)))
    return tuple((float(x), float(y), float(z)) for x, y, z in points)


def _smooth(line: Matrix) -> Matrix:
    """The line without the steps of its cells; its ends stay."""
    inner = (line[:-2] + 2.0 * line[1:-1] + line[2:]) / 4.0
    return np.concatenate([line[:1], inner, line[-1:]]) if len(line) > 1 else line


def _bottleneck(scene: Scene, where: Cells) -> float:
    """The highest threshold at which liver outside and the tumor still hang together within `where`, by bisection."""
    low, high = 0.0, 1.5
    inner = scene.inner
    for _ in range(8):
        middle = (low + high) / 2.0
        if (_reaching(scene, where, middle) & inner).any():
            low = middle
        else:
            high = middle
    return low


def _reaching(scene: Scene, where: Cells, threshold: float) -> Cells:
    """Cells of `where` at or above `threshold` that hang together with the outer face of the margin."""
    labels, _ = ndimage.label(where & (scene.uptake >= threshold), structure=np.ones((3, 3, 3)))
    started = np.unique(labels[scene.outer & (labels > 0)])
    return np.isin(labels, started[started > 0])
