"""The sentences and the number format that every output shares, and the words that none may use."""

from __future__ import annotations

from service.codes import ML, MM, PERCENT, Code

RESEARCH_USE = "For research use. Not for primary diagnosis; verify on the source images."

# Words that claim more than a measurement can: none of our sentences holds them.
FORBIDDEN = ("complete ablation", "no residual tumor", "risk", "recommend")

_DECIMALS = {MM: 1, ML: 1, PERCENT: 0}
_SIGNS = {"1": ""}
_SMALL = 10.0  # mL below which a second decimal is still a measurement
# Typographic signs that every character set can do without: one of them would force a report into UTF-8.
_ASCII = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-", "\u2264": "<=", "\u2265": ">="}
)


def shown(value: float, unit: Code | None) -> str:
    """A number for people, with its unit; records and objects keep the number as it is.

    A length gets a second decimal where one decimal would hide on which side of a whole millimeter it lies.

    >>> shown(2.345, MM), shown(3.04, MM), shown(-0.01, MM), shown(12.25, ML), shown(0.766, ML), shown(41.7, PERCENT)
    ('2.3 mm', '3.04 mm', '-0.01 mm', '12.2 mL', '0.77 mL', '42 %')
    """
    text = number(value, unit)
    symbol = "" if unit is None else _SIGNS.get(unit.value, unit.value)
    return f"{text} {symbol}".strip()


def number(value: float, unit: Code | None) -> str:
    """The same number without its unit."""
    decimals = _DECIMALS.get(unit, 2) if unit is not None else 2
    coarse = f"{value:.{decimals}f}"
    hides = (unit == MM and float(coarse) == round(value) and value != round(value)) or (unit == ML and abs(value) < _SMALL)
    text = f"{value:.{decimals + 1}f}" if hides else coarse
    return text.removeprefix("-") if float(text) == 0 else text


def shown_interval(interval: tuple[float | None, float | None] | None, unit: Code | None) -> str:
    """A 95 % interval for people; an open end is said as such.

    >>> shown_interval((1.25, 3.5), MM), shown_interval((None, 3.5), MM)
    ('1.2 to 3.5 mm', 'up to 3.5 mm')
    """
    if interval is None or interval == (None, None):
        return ""
    low, high = interval
    if low is None and high is not None:
        return f"up to {shown(high, unit)}"
    if low is not None and high is None:
        return f"from {shown(low, unit)}"
    return f"{number(low or 0.0, unit)} to {shown(high or 0.0, unit)}"


def plain(text: str) -> str:
    r"""Text without control characters and typographic signs, so that it can stand in any data element.

    >>> plain("line one\nits \u201cname\u201d")
    'line one its "name"'
    """
    return "".join(letter if letter.isprintable() else " " for letter in text.translate(_ASCII)).strip()


def clip(text: str, length: int) -> str:
    """Text from outside cut to what a data element holds; a backslash would split it into two values."""
    return plain(text).replace("\\", "/")[:length].strip()
