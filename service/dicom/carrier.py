"""To a destination and back by what it speaks: DICOM or DICOMweb."""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from pathlib import Path
from typing import Any

from service.dicom import query, sender
from service.dicom.destination import EXPLICIT, Caller, Destination
from service.dicom.query import Reference
from service.dicom.sender import Sent


def sending(objects: Sequence[Path], destination: Destination, caller: Caller) -> Generator[Sent]:
    """Send in order, each answer as it comes; who stops asking sends no more.

    Raises:
        TryAgain: Nobody is there.
    """
    speaks = _dicomweb().sending if destination.url else sender.sending
    return speaks(objects, destination, caller)


def send(objects: Sequence[Path], destination: Destination, caller: Caller) -> tuple[Sent, ...]:
    """Send all of them.

    Raises:
        TryAgain: Nobody is there.
    """
    return tuple(sending(objects, destination, caller))


def find(references: Sequence[Reference], destination: Destination, caller: Caller) -> frozenset[str]:
    """Those of the instances that the destination shows (SOP Instance UIDs).

    Raises:
        TryAgain: Nobody is there, or no answer.
        Refused: It offers no such query, or refused it.
    """
    asks = _dicomweb().find if destination.url else query.find
    return asks(references, destination, caller)


def echo(destination: Destination, caller: Caller) -> None:
    """Is it there?

    Raises:
        TryAgain: No, and why.
    """
    (_dicomweb() if destination.url else sender).echo(destination, caller)


def negotiate(sop_classes: Collection[str], destination: Destination, caller: Caller) -> dict[str, tuple[str, ...]]:
    """The transfer syntaxes in which it takes each SOP class; by DICOMweb an object goes as it was made.

    Raises:
        TryAgain: Nobody is there.
    """
    if destination.url:
        return dict.fromkeys(sop_classes, (EXPLICIT,))
    return sender.negotiate(sop_classes, destination, caller)


def _dicomweb() -> Any:
    """Imported when a destination speaks it: most speak DICOM, and need no HTTP client."""
    from service.dicom import dicomweb

    return dicomweb
