"""UIDs that pynetdicom has judged once are not judged again: it does so eight times for each context of each association.

A workstation offers 128 contexts, and most of the time of its association would go into regular expressions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pynetdicom import ae, dimse_primitives, pdu_items, pdu_primitives, presentation, utils

_MOST = 4096  # the standard has some hundreds; whoever invents more has them judged each time

SetUid = Callable[..., Any]
AddSyntax = Callable[[Any, Any], None]


def remember() -> None:
    """From now on, in all of this process; a repetition changes nothing."""
    for module in (ae, dimse_primitives, pdu_items, pdu_primitives, presentation):
        module.set_uid = _SET_UID
    presentation.PresentationContext.add_transfer_syntax = _ADD_SYNTAX


def _remembering(set_uid: SetUid) -> SetUid:
    known: dict[Any, Any] = {}

    def remembered(value: Any, *arguments: Any, **more: Any) -> Any:
        found = known.get(value)
        if found is None:
            found = set_uid(value, *arguments, **more)
            if found and found.is_valid and len(known) < _MOST:
                known[value] = found
        return found

    return remembered


def _remembering_syntaxes(add_transfer_syntax: AddSyntax) -> AddSyntax:
    known: dict[Any, Any] = {}

    def remembered(context: Any, syntax: Any) -> None:
        found = known.get(syntax)
        if found is None:
            add_transfer_syntax(context, syntax)
            added = context._transfer_syntax[-1:]  # noqa: SLF001
            if added and added[0].is_valid and added[0].is_transfer_syntax and added[0] == syntax and len(known) < _MOST:
                known[syntax] = added[0]
        elif found not in context._transfer_syntax:  # noqa: SLF001
            context._transfer_syntax.append(found)  # noqa: SLF001

    return remembered


_SET_UID = _remembering(utils.set_uid)
_ADD_SYNTAX = _remembering_syntaxes(presentation.PresentationContext.add_transfer_syntax)
