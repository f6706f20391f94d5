"""The viewer as its makers ship it: one pinned package of the npm registry, unpacked once into the cache of the user."""

from __future__ import annotations

import os
import subprocess
import tarfile
from base64 import b64encode
from hashlib import sha512
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.peers import missing, require_program

VERSION = "3.13.2"
SHA512 = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
FETCH_S = 240


def ohif() -> Path:
    """The folder of the built OHIF viewer; the first call fetches it (50 MB)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cryomargin-tests"
    place = cache / f"ohif-{VERSION}"
    if not place.exists():
        npm = require_program("npm")
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as folder:
            unpacked = _unpacked(_fetched(npm, Path(folder)))
            unpacked.rename(place)  # whole or not at all: another run may be looking
    return place / "dist"


def _fetched(npm: str, folder: Path) -> Path:
    """The package, checked against its pinned digest."""
    command = [npm, "pack", f"@ohif/app@{VERSION}", "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=FETCH_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as fault:
        missing(f"the viewer OHIF {VERSION} cannot be fetched from the npm registry: {fault}")
    (package,) = folder.glob("*.tgz")
    assert b64encode(sha512(package.read_bytes()).digest()).decode() == SHA512, "this is not the package that was looked at"
    return package


def _unpacked(package: Path) -> Path:
    with tarfile.open(package) as archive:
        archive.extractall(package.parent, filter="data")
    return package.parent / "package"
