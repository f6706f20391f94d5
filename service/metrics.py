"""What the service counts of itself while it works: one entry a metric, shown at /metrics and described in docs/operators.md.

A label's values are few by construction: statuses, causes and states that stand in the source, names of the configuration.
Never anything that came over the network, and never a patient.
"""

from __future__ import annotations

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram

_MOST_REASONS = 40
OTHER = "other"

# Seconds: from a disk that answers from its cache to one that is about to fail.
_FAST = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

REGISTRY = CollectorRegistry()
INSTANCES = Counter("cryomargin_instances", "Instances by the DICOM status of their answer.", ["status"], registry=REGISTRY)
INSTANCE_BYTES = Counter(
    "cryomargin_instance_bytes", "Bytes of their data sets, by the same status.", ["status"], registry=REGISTRY
)
ASSOCIATIONS = Counter("cryomargin_associations", "Associations that ended, by how.", ["end"], registry=REGISTRY)
REJECTED = Counter(
    "cryomargin_associations_rejected", "Associations that were not let in, by why.", ["reason"], registry=REGISTRY
)
FSYNC_SECONDS = Histogram(
    "cryomargin_fsync_seconds",
    "Until a written file is durable: journal or fsync, rename, fsync.",
    buckets=_FAST,
    registry=REGISTRY,
)
INDEX_SECONDS = Histogram(
    "cryomargin_index_seconds", "Until the row of an instance is committed.", buckets=_FAST, registry=REGISTRY
)


def answered(status: int, size: int) -> None:
    """Count an instance of `size` bytes that was answered with a DICOM status."""
    instances, sizes = _counters(status)
    instances.inc()
    sizes.inc(size)


@cache
def _counters(status: int) -> tuple[Counter, Counter]:
    """Of a status; there are few."""
    word = f"0x{status:04X}"
    return INSTANCES.labels(word), INSTANCE_BYTES.labels(word)


def association_ended(end: str) -> None:
    """Count an association by how it ended."""
    ASSOCIATIONS.labels(_ENDS.bounded(end)).inc()


def association_rejected(reason: str) -> None:
    """Count an association that was not let in."""
    REJECTED.labels(_REASONS.bounded(reason)).inc()


class Words:
    """The values that a label has had; beyond the first `most` everything is "other", whoever invents them.

    >>> words = Words(most=1)
    >>> [words.bounded(word) for word in ("released", "lost", "released")]
    ['released', 'other', 'released']
    """

    def __init__(self, most: int = _MOST_REASONS) -> None:
        self._most = most
        self._seen: set[str] = set()

    def bounded(self, word: str) -> str:
        """The word itself, or "other"."""
        if word not in self._seen and len(self._seen) >= self._most:
            return OTHER
        self._seen.add(word)
        return word


_ENDS, _REASONS = Words(), Words()
