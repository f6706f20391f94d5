"""Who measures: product, version and a hash of the options."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from service import __version__
from service.codes import PRODUCT
from service.options import AnalysisOptions
from service.report.result import Software

HASH_DIGITS = 12


def software(options: AnalysisOptions) -> Software:
    """Who measures; the hash covers every option that can change a number or an object."""
    text = json.dumps(asdict(options), sort_keys=True, default=str)
    return Software(PRODUCT, __version__, hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS])
