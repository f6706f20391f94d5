"""The template environment: everything is escaped, a missing name is an error."""

from __future__ import annotations

from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined


def moment(at: datetime | None) -> str:
    """A UTC time for people.

    >>> moment(datetime(2026, 3, 1, 10, 30, 5))
    '2026-03-01 10:30:05'
    """
    return at.strftime("%Y-%m-%d %H:%M:%S") if at else ""


def words(name: str) -> str:
    """A stable name as words.

    >>> words("portal_venous"), words("t1_pre")
    ('portal venous', 'T1 pre')
    """
    upper = {"t1": "T1", "t2": "T2", "dwi": "DWI", "adc": "ADC"}
    return " ".join(upper.get(word, word) for word in str(name).split("_"))


def place(position: tuple[float, float, float]) -> str:
    """A place in patient coordinates (LPS mm) by the directions that a reader thinks in.

    >>> place((12.5, -40.04, 88.2))
    'L 12.5, A 40.0, S 88.2 mm'
    """
    directions = ("LR", "PA", "SI")
    named = zip(directions, position, strict=True)
    return ", ".join(f"{pair[0] if axis >= 0 else pair[1]} {abs(axis):.1f}" for pair, axis in named) + " mm"


TEMPLATES = Environment(
    loader=PackageLoader("service.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
TEMPLATES.filters["moment"] = moment
TEMPLATES.filters["words"] = words
TEMPLATES.filters["place"] = place
