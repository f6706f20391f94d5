"""Whoever knocks decides how often, but not how much is written or kept."""

from __future__ import annotations

from datetime import UTC, datetime

from structlog.testing import capture_logs

from service.dicom.rejections import MOST_WAITING, Rejections
from service.errors import TryAgain
from service.store.index import Index
from service.store.refused import MOST_REJECTIONS


def noting(index: Index) -> Rejections:
    return Rejections(index, lambda: datetime.now(UTC))


def test_a_storm_is_counted_in_few_rows(index: Index) -> None:
    rejections = noting(index)
    for _ in range(500):
        rejections.note("192.0.2.1", "MR9", "CRYOMARGIN", "The calling AE title is not on the list.")
    rejections.flush()

    assert sum(one.times for one in index.rejections()) == 500
    assert len(index.rejections()) == 1


def test_a_storm_of_many_names_is_bounded(index: Index) -> None:
    rejections = noting(index)
    for turn in range(2):
        for number in range(2 * MOST_WAITING):
            rejections.note("192.0.2.1", f"{turn}-{number}", "CRYOMARGIN", "The calling AE title is not on the list.")
        rejections.flush()

    assert len(index.rejections()) == MOST_REJECTIONS
    assert index.rejections()[0].calling_ae.startswith("1-")


def test_names_are_kept_as_a_page_and_a_database_can_hold_them(index: Index) -> None:
    rejections = noting(index)
    rejections.note("192.0.2.1", "A\x00B\n" + "x" * 100, "<b>", "no")
    rejections.flush()

    (one,) = index.rejections()
    assert (one.calling_ae, one.called_ae) == (f"AB{'x' * 62}", "<b>")


class DownIndex(Index):
    """A database that does not answer."""

    def note_rejections(self, rejections: object) -> None:  # noqa: ARG002 - it fails before it looks
        """Fail."""
        raise TryAgain("store.unavailable", "The index cannot be reached.")


def test_a_database_that_is_down_costs_the_count_and_not_the_listener(index: Index) -> None:
    rejections = noting(DownIndex(index._database))
    with capture_logs() as logs:
        rejections.note("192.0.2.1", "MR9", "CRYOMARGIN", "no")
        rejections.flush()

    assert [line["event"] for line in logs] == ["association_rejected", "rejections_not_counted"]


def test_what_comes_after_the_end_is_only_in_the_log(index: Index) -> None:
    """The index may be closed by then."""
    rejections = noting(index)
    rejections.close()
    with capture_logs() as logs:
        rejections.note("192.0.2.1", "MR9", "CRYOMARGIN", "no")

    assert [line["event"] for line in logs] == ["association_rejected"]
    assert rejections._timer is None
