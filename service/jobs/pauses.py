"""How long to wait before something is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

SPREAD = 0.25  # of a pause: so that what failed together does not come back together


@dataclass(frozen=True, slots=True)
class Pauses:
    """Twice as long each time (s), up to `longest_s`; what has waited for `give_up_s` in all is given up, visibly."""

    first_s: float = 5.0
    longest_s: float = 900.0
    give_up_s: float = 7 * 86400.0

    def before(self, number: int, chance: float = 0.5) -> timedelta:
        """The pause before try 1, 2, ... again; `chance` (0 to 1) spreads it around its length.

        >>> [Pauses(5, 30).before(number).total_seconds() for number in (1, 2, 3, 4, 500)]
        [5.0, 10.0, 20.0, 30.0, 30.0]
        >>> [Pauses(8).before(1, chance).total_seconds() for chance in (0.0, 1.0)]
        [6.0, 10.0]
        """
        whole = min(self.first_s * float(2 ** min(max(number, 1) - 1, 30)), self.longest_s)
        return timedelta(seconds=whole * (1.0 + SPREAD * (2.0 * chance - 1.0)))

    @property
    def give_up(self) -> timedelta:
        """How long something may wait in all."""
        return timedelta(seconds=self.give_up_s)
