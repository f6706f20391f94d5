"""For every test: what one configures for the whole process does not reach the next."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """The service configures the logging of its process; tests that start it in theirs must not silence the others."""
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
