"""Stages of the analysis that are asked the same again and again, answered from memory.

Tests that break one thing at a time ask everything before it anew. A stage is a pure function, so what it said of the same
input holds; an input that differs in a single voxel is another question, and the product answers it.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from service import pipeline

STAGES = ("align", "margin_surface", "visibility")


class Remembered:
    """A pure function with the answers that it has given."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._answers: dict[bytes, Any] = {}

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """The answer, remembered if the same was asked before."""
        asked = hashlib.blake2b(pickle.dumps((arguments, options), protocol=5)).digest()
        if asked not in self._answers:
            self._answers[asked] = self._function(*arguments, **options)
        return self._answers[asked]


@contextmanager
def remembered_stages() -> Iterator[None]:
    """While it lasts, the slow stages of `service.pipeline` remember."""
    with pytest.MonkeyPatch.context() as patch:
        for stage in STAGES:
            patch.setattr(pipeline, stage, Remembered(getattr(pipeline, stage)))
        yield


@contextmanager
def forgotten() -> Iterator[None]:
    """For a moment every stage is computed as if for the first time."""
    with pytest.MonkeyPatch.context() as patch:
        for stage in STAGES:
            held = getattr(pipeline, stage)
            patch.setattr(pipeline, stage, held._function if isinstance(held, Remembered) else held)
        yield
