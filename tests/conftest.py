"""For every test: what one configures for the whole process does not reach the next."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Generator, Iterator

import pytest
import structlog
from _pytest.doctest import DoctestModule

# Some hundred processes are started here. Where nothing may keep compiled modules, each compiles the libraries anew: 7 of 11 s.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# One test runs on each core: threads of a matrix product would wait for each other, and burn the time of the test beside it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Thousands of tests are collected: to look for garbage among them every 700 objects takes a tenth of the time.
gc.set_threshold(50_000, 20, 100)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Examples in docstrings are the product's: to look for some here would load every benchmark and long validation."""
    return [one for one in (yield) if not isinstance(one, DoctestModule)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: what begins last is waited for by processes that have nothing left to do."""

    def patience(item: pytest.Item) -> float:
        limits = (mark.args[0] for mark in item.iter_markers("timeout"))
        return float(max(limits, default=0.0)) + (item.get_closest_marker("slow") is not None)

    longest: dict[object, float] = {}
    for item in items:
        longest[item.path] = max(longest.get(item.path, 0.0), patience(item))
    items.sort(key=lambda item: -longest[item.path])


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
