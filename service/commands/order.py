"""Orders from a terminal: the same as those of the page, with their line in the audit."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console

from service.app import open_index
from service.errors import Unusable
from service.settings import Settings
from service.store.operators import Operators
from service.store.orders import Action, Order, Queue
from service.web.allowed import ORDERS, StudyOrder

WHO = "local"


def carry_out(console: Console, settings: Settings, what: str, subject: str, to: str) -> None:
    """Carry out an order and say what it was before and after.

    Raises:
        Unusable: The state does not allow it, or there is no such study, destination or worker.
    """
    if what == "resend" and to not in {one.name for one in settings.destination}:
        names = ", ".join(one.name for one in settings.destination) or "none is configured"
        raise Unusable("order.no_destination", f"Name the destination with --to: {names}.")
    with open_index(settings) as index:
        done = _done(index.operators, what, subject, to)
    console.print(f"{done.what} {done.subject}: {done.before} -> {done.after}", highlight=False, markup=False)


def _done(operators: Operators, what: str, subject: str, to: str) -> Action:
    order = Order(WHO, datetime.now(UTC))
    if what == "resend":
        return operators.resend(subject, to, order)
    if what == "drain":
        return operators.drain(subject, order, draining=True)
    if what in {"pause", "resume"}:
        return _of_queue_or_worker(operators, subject, order, on=what == "pause")
    return ORDERS[StudyOrder(what)](operators, subject, order)


def _of_queue_or_worker(operators: Operators, subject: str, order: Order, *, on: bool) -> Action:
    if subject in set(Queue):
        return operators.pause(Queue(subject), order, paused=on)
    if on:
        raise Unusable("order.no_queue", f"A queue is one of: {', '.join(Queue)}.")
    return operators.drain(subject, order, draining=False)
