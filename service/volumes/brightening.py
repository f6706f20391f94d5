"""Whether phases brighten in the order that their roles say: first arteries, then liver and veins, before contrast nothing.

Headers can name the wrong phase; what contrast does cannot. Blood is what changes most over the phases, parenchyma the
enhancing rest. Each phase is brought to one scale by what does not enhance (fat, the ablated zone, fluid), so different gain
does not matter. Only a clear contradiction is one: the thresholds leave room for slow hearts and early or late scans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.study.model import Role
from service.volumes.blocks import shrunk
from service.volumes.volume import Array, Volume

CELL = 5.0  # mm; breathing and noise average out
BODY = 0.3  # of the mean signal over all phases
BLOOD = 0.02  # of the body changes most
PLAIN = 20.0  # percentile of post / pre that stands for what does not enhance
BRIGHT = 1.15  # times the usual signal of the body: blood is that in its brightest phase
FEWEST, FEWEST_BLOOD = 500, 10  # cells of the body, and of what may be blood
CLEARLY = 1.05  # how much brighter the wrong one must be
AFTER = (Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED)

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Roles that cannot both be right, and the sentence that says what the images show."""

    roles: tuple[Role, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class Curve:
    """How bright blood and parenchyma are in each phase, in units of the parenchyma before contrast."""

    blood: Mapping[Role, float]
    parenchyma: Mapping[Role, float]


def contradictions(phases: Mapping[Role, Volume]) -> tuple[Contradiction, ...]:
    """What the pixels of these phases, all on one grid, say against their roles; nothing where it cannot be told.

    Without a phase before contrast there is no scale to compare by, and nothing is said.
    """
    known = {role: shrunk(phases[role], CELL).values for role in (Role.T1_PRE, *AFTER) if role in phases}
    if Role.T1_PRE not in known or len(known) < 2:
        return ()
    body = _body(known)
    if body.sum() < FEWEST:
        return ()
    signals = {role: values[body].astype(np.float64) for role, values in known.items()}
    darkest = _darkest(signals)
    if darkest is not Role.T1_PRE:
        return (
            Contradiction(
                (Role.T1_PRE, darkest),
                f"Blood is darkest in the series taken for {_said(darkest)}, not in the one taken for before contrast.",
            ),
        )
    return tuple(_order(curve(signals)))


def curve(signals: Mapping[Role, NDArray[np.float64]]) -> Curve:
    """Blood and parenchyma over the phases; `signals` are the cells of the body in each, T1_PRE among them."""
    before = signals[Role.T1_PRE]
    ratios = {role: values / before for role, values in signals.items() if role is not Role.T1_PRE}
    ratios = {role: ratio / np.percentile(ratio, PLAIN) for role, ratio in ratios.items()}
    most = np.max(list(ratios.values()), axis=0)
    bright = np.max([before * ratio for ratio in ratios.values()], axis=0)
    blood = bright >= np.quantile(bright, 1 - BLOOD)
    low, high = np.quantile(most, [0.5, 0.9])
    tissue = (most >= low) & (most <= high) & ~blood
    unit = float(np.median(before[tissue]))
    return Curve(
        {role: float(np.median((before * ratio)[blood])) / unit for role, ratio in ratios.items()},
        {role: float(np.median(ratio[tissue])) for role, ratio in ratios.items()},
    )


def _body(known: Mapping[Role, Array]) -> Mask:
    """Cells with signal in every phase."""
    mean = np.mean(list(known.values()), axis=0)
    body = mean > BODY * np.nanmean(mean)
    for values in known.values():
        body &= values > 0.25 * BODY * np.nanmean(values)
    return np.asarray(body)


def _darkest(signals: Mapping[Role, NDArray[np.float64]]) -> Role:
    """The phase in which the cells that change most are darkest; T1_PRE where it cannot be told.

    Against a liver that takes up much, what takes up nothing changes most, too: so what outshines the body must say the same.
    """
    stack = np.stack([values / np.median(values) for values in signals.values()])
    bright = stack.max(axis=0) > BRIGHT
    if bright.sum() < FEWEST_BLOOD:
        return Role.T1_PRE
    change = stack.max(axis=0) - stack.min(axis=0)
    most = change >= np.quantile(change, 1 - BLOOD)
    brightest = bright & (change >= max(np.quantile(change, 1 - BLOOD), np.median(change[bright])))
    said = {int(np.argmin(np.median(stack[:, cells], axis=1))) for cells in (most, brightest) if cells.any()}
    return list(signals)[said.pop()] if len(said) == 1 else Role.T1_PRE


def _order(found: Curve) -> Iterator[Contradiction]:
    liver, blood = found.parenchyma, found.blood
    for later in (Role.PORTAL_VENOUS, Role.DELAYED):
        if Role.ARTERIAL in liver and later in liver and liver[Role.ARTERIAL] > CLEARLY * liver[later]:
            yield Contradiction(
                (Role.ARTERIAL, later),
                f"The organs are brighter in the series taken for arterial than in the one taken for {_said(later)}.",
            )
    if {Role.PORTAL_VENOUS, Role.DELAYED} <= blood.keys() and blood[Role.DELAYED] > CLEARLY * blood[Role.PORTAL_VENOUS]:
        yield Contradiction(
            (Role.PORTAL_VENOUS, Role.DELAYED),
            "Blood is brighter in the series taken for delayed than in the one taken for portal venous.",
        )


def _said(role: Role) -> str:
    return role.value.replace("_", " ")
