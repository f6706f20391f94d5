"""The index in numbers that cost little, for whoever asks every few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, select

from service.store.records import DeliveryState, State
from service.store.schema import association, delivery, study


@dataclass(frozen=True, slots=True)
class Gauges:
    """Studies by state, deliveries by destination and state, and how many associations are open."""

    studies: Mapping[State, int]
    deliveries: Mapping[tuple[str, DeliveryState], int]
    open_associations: int


def gauges(connection: Connection) -> Gauges:
    """What there is now. Every state is named, so that a number that falls to nothing is seen to do so."""
    by_state = {row.state: row.number for row in connection.execute(_count(study.c.state))}
    return Gauges(
        studies={state: by_state.get(state, 0) for state in State},
        deliveries={
            (row.destination, DeliveryState(row.state)): row.number
            for row in connection.execute(_count(delivery.c.destination, delivery.c.state))
        },
        open_associations=connection.scalar(select(func.count()).where(association.c.closed_at.is_(None))) or 0,
    )


def _count(*columns: Any) -> Select[Any]:
    return select(*columns, func.count().label("number")).group_by(*columns)
