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
    logging.captureWarnings(capture=False)
