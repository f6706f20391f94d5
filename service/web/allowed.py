"""What people may order of a study in the state that it is in: what the buttons of its page offer.

The index decides again when an order comes in; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from service.store.operators import Operators
from service.store.orders import Action, Order
from service.store.records import AT_WORK, ENDED, Begin, State, StudyDetail


class StudyOrder(StrEnum):
    """What can be ordered of a study: in the order of the buttons."""

    ANALYSE = "analyse"
    DELIVER = "deliver"
    COMPLETE = "complete"
    RELEASE = "release"
    HOLD = "hold"
    CANCEL = "cancel"
    URGENT = "urgent"
    NORMAL = "normal"


ORDERS: Mapping[StudyOrder, Callable[[Operators, str, Order], Action]] = {
    StudyOrder.ANALYSE: lambda operators, study, order: operators.rerun(study, Begin.ANALYSE, order),
    StudyOrder.DELIVER: lambda operators, study, order: operators.rerun(study, Begin.DELIVER, order),
    StudyOrder.COMPLETE: lambda operators, study, order: operators.complete(study, order),
    StudyOrder.RELEASE: lambda operators, study, order: operators.release(study, order),
    StudyOrder.HOLD: lambda operators, study, order: operators.hold(study, order),
    StudyOrder.CANCEL: lambda operators, study, order: operators.cancel(study, order),
    StudyOrder.URGENT: lambda operators, study, order: operators.prioritise(study, order, urgent=True),
    StudyOrder.NORMAL: lambda operators, study, order: operators.prioritise(study, order, urgent=False),
}


def possible(detail: StudyDetail) -> tuple[StudyOrder, ...]:
    """The orders that are possible now."""
    summary = detail.summary
    ended = summary.state in ENDED and bool(summary.content_version)
    rules = {
        StudyOrder.ANALYSE: ended and summary.instances > 0,
        StudyOrder.DELIVER: ended and has_results(detail),
        StudyOrder.COMPLETE: summary.state is State.RECEIVING,
        StudyOrder.RELEASE: summary.held,
        StudyOrder.HOLD: not summary.held and summary.state not in ENDED,
        StudyOrder.CANCEL: summary.state in AT_WORK | {State.HELD},
        StudyOrder.URGENT: not summary.urgent,
        StudyOrder.NORMAL: summary.urgent,
    }
    return tuple(order for order in StudyOrder if rules[order])


def has_results(detail: StudyDetail) -> bool:
    """Whether the newest content has objects that could be sent."""
    return bool(detail.outputs) and detail.result_version == detail.summary.content_version
