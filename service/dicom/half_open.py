"""How many connections may be open that have not asked for an association yet, from one peer and in all.

A silent one gives way to a new one once it has been silent for a while, so that who only connects cannot lock anybody out.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Room(Generic[Key]):
    """Whether one more may come in, and who has to leave for it."""

    admitted: bool
    gives_way: Key | None = None


class HalfOpen(Generic[Key]):
    """The connections without an association; not safe for threads by itself."""

    def __init__(self, most: int, most_per_peer: int) -> None:
        self._most = most
        self._most_per_peer = most_per_peer
        self._since: dict[Key, tuple[str, float]] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._since)

    def make_room(self, peer: str, now: float) -> Room[Key]:
        """Room for one more of this peer; who gives way is forgotten here."""
        theirs = [key for key, (other, _) in self._since.items() if other == peer]
        crowd = theirs if len(theirs) >= self._most_per_peer else list(self._since)
        if len(theirs) < self._most_per_peer and len(self._since) < self._most:
            return Room(admitted=True)
        oldest = crowd[0] if crowd else None
        if oldest is None or now - self._since[oldest][1] < PATIENCE_S:
            return Room(admitted=False)
        self.remove(oldest)
        return Room(admitted=True, gives_way=oldest)

    def add(self, key: Key, peer: str, now: float) -> None:
        """One has come in."""
        self._since[key] = (peer, now)

    def remove(self, key: Key) -> None:
        """One has asked for an association, or is gone; harmless when it is not here."""
        self._since.pop(key, None)
