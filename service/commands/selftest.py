"""`selftest DESTINATION`: what does it take, and does it show what it took?"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.uid import UID
from rich.console import Console
from rich.table import Table

from service.configured import caller_of, destinations_of, options_of, syntax_words
from service.dicom import carrier
from service.dicom.association import NO_CONTEXT
from service.dicom.destination import EXPLICIT, IMPLICIT, Caller, Destination
from service.errors import Refused, TryAgain
from service.jobs.messages import MadeFile
from service.jobs.verification import reference_of
from service.report.uids import NOT_ASSESSABLE
from service.settings import Settings

TAKEN, NOTHING = 0, 1
_WORDS = {EXPLICIT: "explicit VR", IMPLICIT: "implicit VR"}


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one kind of object. `syntaxes` are those accepted for it; `verified` is None where it was not asked."""

    role: str
    sop_class: str
    syntaxes: tuple[str, ...]
    stored: bool
    verified: bool | None = None
    remark: str = ""


def try_destination(console: Console, settings: Settings, name: str, write: Path | None = None) -> int:
    """Try one destination with an object of every kind; gives the exit status: 1 when it stored nothing.

    Raises:
        TryAgain: There is no such destination, or `write` names a file that is there already.
    """
    destination = _named(settings, name)
    if write is not None and write.exists():
        raise TryAgain("selftest.file", f"{write} exists already: name a new file, so that no configuration is lost")
    from service.jobs import specimen  # with the whole analysis: only now that there is a destination to try

    caller = caller_of(settings)
    try:
        _reach(destination, caller)
    except TryAgain as fault:
        console.print(f"Nothing can be stored: {fault.sentence}", highlight=False, markup=False, soft_wrap=True)
        return NOTHING
    with tempfile.TemporaryDirectory(prefix="cryomargin-selftest-") as place, console.status("A phantom is measured and sent"):
        made = specimen.make_specimens(Path(place), options_of(settings))
        tried = attempt(destination, caller, made, Path(place))
    return _report(console, settings, destination, tried, write)


def attempt(destination: Destination, caller: Caller, made: Sequence[MadeFile], folder: Path) -> tuple[Tried, ...]:
    """Send every object, ask for each that was stored, and say what came of it; what could not be made has its line too."""
    from service.jobs.specimen import ROLES

    anything = replace(destination, objects=frozenset(), syntaxes=(EXPLICIT, IMPLICIT))
    tried = _sent(anything, caller, made, folder)
    stored = [folder / one.name for one, result in zip(made, tried, strict=True) if result.stored]
    found, why = _asked(anything, caller, stored)
    asked = [_seen(result, one.sop_instance_uid, found, why) for one, result in zip(made, tried, strict=True)]
    absent = [role for role in ROLES if role not in {one.role for one in made}]
    return (*asked, *(Tried(role, "", (), stored=False, remark="the phantom gives no such object") for role in absent))


def profile(settings: Settings, destination: Destination, tried: Sequence[Tried]) -> str:
    """What the destination takes as a block of the configuration, "" when it takes nothing that is made here."""
    taken = [one.role for one in tried if one.stored]
    alike = [NOT_ASSESSABLE] if "sr" in taken else []  # of the same kind; the phantom can be measured
    wanted = [role for role in (*taken, *alike) if role in settings.report.outputs]
    if not wanted:
        return ""
    syntaxes = syntax_words({syntax for one in tried if one.stored for syntax in one.syntaxes} or set(destination.syntaxes))
    verified = any(one.verified for one in tried)
    values = {
        "name": destination.name,
        "address": destination.address,
        "verify": "find" if verified else "none",
        "objects": wanted,
        "transfer_syntaxes": list(syntaxes),
        "character_set": destination.character_set or "as_made",
    }
    lines = ["[[destination]]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())]
    lines.extend(_tls(settings, destination.name))
    further = [role for role in taken if role not in wanted]
    if further:
        lines.append(f"# It would also take {', '.join(further)}: add them to report.outputs and to objects.")
    return "\n".join(lines) + "\n"


def _tls(settings: Settings, name: str) -> Iterator[str]:
    """How TLS is configured for it now: a block without would send plain DICOM."""
    table = next(one.tls for one in settings.destination if one.name == name)
    given = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.model_dump().items() if value]
    if given:
        yield f"tls = {{ {', '.join(given)} }}"


def _named(settings: Settings, name: str) -> Destination:
    destinations = destinations_of(settings)
    found = next((one for one in destinations if one.name == name), None)
    if found is None:
        names = ", ".join(one.name for one in destinations) or "none"
        raise TryAgain("selftest.unknown", f"No destination is named {name!r}; the configuration has: {names}")
    return found


def _reach(destination: Destination, caller: Caller) -> None:
    """Is anybody there? An archive that offers no echo may store all the same."""
    try:
        carrier.echo(destination, caller)
    except TryAgain as fault:
        if fault.code != NO_CONTEXT:
            raise


def _sent(destination: Destination, caller: Caller, made: Sequence[MadeFile], folder: Path) -> list[Tried]:
    """What sending gave for each object."""
    try:
        accepted = carrier.negotiate({one.sop_class_uid for one in made}, destination, caller)
        answers = carrier.send([folder / one.name for one in made], destination, caller)
    except TryAgain as fault:
        return [Tried(one.role, one.sop_class_uid, (), stored=False, remark=fault.sentence) for one in made]
    return [
        Tried(
            one.role,
            one.sop_class_uid,
            accepted[one.sop_class_uid],
            answer.error is None,
            remark=answer.error.sentence if answer.error else answer.note,
        )
        for one, answer in zip(made, answers, strict=True)
    ]


def _asked(destination: Destination, caller: Caller, stored: Sequence[Path]) -> tuple[frozenset[str] | None, str]:
    """The UIDs that the destination shows; None, and why, where it cannot be asked."""
    try:
        return carrier.find([reference_of(path) for path in stored], destination, caller) if stored else frozenset(), ""
    except (TryAgain, Refused) as fault:
        return None, f"cannot be verified: {fault.sentence}"


def _seen(tried: Tried, uid: str, found: frozenset[str] | None, why: str) -> Tried:
    if not tried.stored:
        return tried
    if found is None:
        return replace(tried, remark="; ".join(filter(None, (tried.remark, why))))
    shown = uid in found
    missing = "" if shown else "stored, but the destination does not show it"
    return replace(tried, verified=shown, remark="; ".join(filter(None, (tried.remark, missing))))


def _report(console: Console, settings: Settings, destination: Destination, tried: Sequence[Tried], write: Path | None) -> int:
    console.print(_table(destination, tried))
    for line in _closing(tried):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    text = profile(settings, destination, tried)
    if text:
        console.print(
            f"\nProfile, to take the place of this destination's block:\n\n{text}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    if text and write is not None:
        _write(write, text)
        console.print(f"Written to {write}", highlight=False, markup=False, soft_wrap=True)
    return TAKEN if any(one.stored for one in tried) else NOTHING


def _table(destination: Destination, tried: Sequence[Tried]) -> Table:
    table = Table(title=f"{destination.name} ({destination.address})", title_justify="left")
    for column in ("Object", "SOP class", "Transfer syntax", "Stored", "Verified", "Remark"):
        table.add_column(column)
    for one in tried:
        syntaxes = ", ".join(_WORDS[syntax] for syntax in one.syntaxes) or "none"
        verified = {True: "yes", False: "no", None: "not asked"}[one.verified]
        kind = UID(one.sop_class).name.removesuffix(" Storage") if one.sop_class else ""
        table.add_row(one.role, kind, syntaxes, "yes" if one.stored else "NO", verified, one.remark)
    return table


def _closing(tried: Sequence[Tried]) -> Iterator[str]:
    from service.jobs.specimen import PATIENT_ID, PATIENT_NAME

    if not any(one.stored for one in tried):
        yield "Nothing could be stored."
        return
    if any(one.verified for one in tried):
        yield "Verified means that a query finds the object; whether a viewer shows it, only a look at it tells."
    yield f"The test objects lie in the study of the patient {PATIENT_NAME!r}, ID {PATIENT_ID!r}: delete it there afterwards."


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise TryAgain("selftest.file", f"{path} cannot be written ({fault.strerror})") from fault
