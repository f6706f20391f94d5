"""The picture of what probabilities are worth: how often a margin was 3 mm or less when its probability was said to be p."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from scipy.stats import binomtest

from tests.validation.margin.figures import BINS
from tests.validation.margin.study import Outcome


def plot(found: Sequence[Outcome], path: Path) -> None:
    """Said against true probability of a margin of 3 mm or less, with the 95 % interval of each frequency, as SVG."""
    said = np.array([one.sure.at_most for one in found if not one.refusal])
    true = np.array([one.truth <= 3.0 for one in found if not one.refusal])
    index = np.clip(np.digitize(said, BINS) - 1, 0, len(BINS) - 2)
    used = [n for n in range(len(BINS) - 1) if (index == n).any()]
    middles = [float(said[index == n].mean()) for n in used]
    ranges = [binomtest(int(true[index == n].sum()), int((index == n).sum())).proportion_ci(method="wilson") for n in used]
    shares = [float(true[index == n].mean()) for n in used]
    figure = Figure(figsize=(4.0, 4.0))
    axes = figure.add_subplot(xlabel="probability of 3 mm or less, said", ylabel="how often it was", aspect="equal")
    axes.plot((0, 1), (0, 1), color="0.6", linewidth=1)
    below = [share - limits.low for share, limits in zip(shares, ranges, strict=True)]
    above = [limits.high - share for share, limits in zip(shares, ranges, strict=True)]
    axes.errorbar(middles, shares, yerr=(below, above), fmt="o", color="black", capsize=3)
    figure.tight_layout()
    with rc_context({"svg.hashsalt": "cryomargin"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
