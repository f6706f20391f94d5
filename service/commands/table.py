"""Findings as a table on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from service.report.record import findings_table


def findings(record: Mapping[str, Any]) -> Table:
    """Every finding of a record in report order, one line each."""
    table = Table(title=record["verdict"], caption=record["research_use"], title_justify="left")
    for column in ("Tumor", "Finding", "Answer", "95 % interval", "Remark"):
        table.add_column(column)
    for row in findings_table(record):
        table.add_row(row.tumor, row.title, row.answer, row.interval, row.remark)
    return table
