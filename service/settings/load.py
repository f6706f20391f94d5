"""One TOML file, with the environment's overrides, becomes Settings, or one line for each fault."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from service.settings.everything import ENVIRONMENT, Settings


class BadConfig(ValueError):
    """The configuration cannot be used; the text names the file, the key and what is wrong with it."""


def load(path: Path | None = None) -> Settings:
    """The settings of the file at `path` (defaults without one) with the environment's overrides.

    Raises:
        BadConfig: One line for each fault, with file and key.
    """
    place = str(path) if path else "defaults"
    try:
        return Settings(**_read(path))
    except ValidationError as fault:
        raise BadConfig("; ".join(f"{place}: {line}" for line in _faults(fault))) from fault
    except SettingsError as fault:
        raise BadConfig(f"environment {ENVIRONMENT}*: {fault}") from fault


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise BadConfig(f"{path}: cannot be read ({fault.strerror})") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise BadConfig(f"{path}: is not TOML: {fault}") from fault


_PATTERNS = {
    "address": 'must be "AETITLE@host:port", for example "ARCHIVE@192.0.2.10:104", or "https://host/dicom-web"',
    "ae_title": "must have 1 to 16 ASCII characters and no backslash",
}


def _faults(fault: ValidationError) -> list[str]:
    return [_sentence(error["loc"], error["type"], error["msg"]) for error in fault.errors()]


def _sentence(place: tuple[int | str, ...], kind: str, message: str) -> str:
    """One fault in one line.

    >>> _sentence(("listener", "prot"), "extra_forbidden", "Extra inputs are not permitted")
    'listener.prot: there is no such setting'
    """
    key = ".".join(str(part) for part in place)
    pattern = _PATTERNS.get(str(place[-1])) if place and kind == "string_pattern_mismatch" else None
    text = "there is no such setting" if kind == "extra_forbidden" else pattern or message.removeprefix("Value error, ")
    return f"{key}: {text}" if key else text
