"""For every test: what one configures for the whole process does not reach the next."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator

import pytest
import structlog

# Some hundred processes are started here. Where nothing may keep compiled modules, each compiles the libraries anew: 7 of 11 s.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """The service configures the logging of its process; tests that start it in theirs must not silence the others."""
    yield
    structlog.reset_defaults()
    _log_plainly()
    logging.captureWarnings(capture=False)


def _log_plainly() -> None:
    """As by default, but for the pictures of tracebacks with all local values: those take seconds to draw and nobody looks."""
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


_log_plainly()
