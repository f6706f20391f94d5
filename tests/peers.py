"""Programs and data of other people that some tests need: found, or the test skips with the reason.

With CRYOMARGIN_REQUIRE_PEERS=1 a missing program fails the test instead, so that a gate cannot be green by skipping.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

DATA = "CRYOMARGIN_TEST_DATA"
REQUIRE = "CRYOMARGIN_REQUIRE_PEERS"


def require_program(name: str, *places: str) -> str:
    """The path of the program `name`, looked up in PATH and in `places` (full paths)."""
    found = shutil.which(name, path=_path()) or next((place for place in places if Path(place).exists()), None)
    if found is None:
        missing(
            f"{name} is not installed (Debian: dcmtk, dicom3tools, orthanc, libpixelmed-java, libsaxonhe-java, chromium, npm, "
            "openssl)"
        )
    return str(found)


def require_package(name: str) -> None:
    """A package of the dependency group `bench`, which no user needs."""
    if find_spec(name) is None:
        missing(f"the package {name} is not installed (uv sync --group bench)")


def real_data(*parts: str) -> Path:
    """A file or folder of the real DICOM collection."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get(DATA, str(default))).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{DATA} does not name a folder that holds {'/'.join(parts)}")
    return path


def _path() -> str:
    """PATH without the folder of this interpreter: pynetdicom installs scripts there that are named like DCMTK's programs."""
    own = Path(sys.executable).parent
    return os.pathsep.join(folder for folder in os.environ.get("PATH", "").split(os.pathsep) if Path(folder) != own)


def missing(sentence: str) -> None:
    """Skip because of what the sentence says, or fail where peers are required."""
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)
