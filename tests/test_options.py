from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("SimpleITK", "scipy", "skimage", "highdicom", "service.pipeline", "service.phantom")


@pytest.mark.parametrize("module", ["service.app", "service.cli", "service.configured", "service.jobs.selftest"])
def test_what_serves_loads_no_engine(module: str) -> None:
    """Analyses run in processes of their own; the one that lives for months stays small and starts at once."""
    asked = f"import sys, {module}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    found = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert found.stdout.split() == []
