"""The index: the one way to what is known. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from time import perf_counter
from types import MappingProxyType, TracebackType
from typing import Any, Self

from service.metrics import INDEX_SECONDS
from service.options import RoleRule
from service.store import arrivals, gauges, outbox, refused, told, versions, views
from service.store.copies import Copies
from service.store.database import Database
from service.store.files import Files
from service.store.gauges import Gauges
from service.store.lines import Lines
from service.store.machines import Machines
from service.store.operators import Operators
from service.store.priors import Priors
from service.store.reconcile import ReadHeader, reconcile
from service.store.records import (
    Added,
    Counts,
    Delivery,
    DeliveryState,
    MadeObject,
    Quarantined,
    Received,
    Reconciled,
    Rejected,
    State,
    StoredInstance,
    StudyDetail,
    StudySummary,
    Version,
)
from service.store.retention import Retention
from service.store.together import Together
from service.store.work import Work
from service.study.complete import Activity


class Index:
    """Rows about studies, instances, versions, results and deliveries; safe for many threads and processes.

    `copies` are files of one content, `operators` the orders of people, `work` says which worker does what, `priors` are
    earlier exams, `machines` the workers, `retention` is what may leave. `mark` gives another value after any change.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together = Together(database)
        self.copies = Copies(database)
        self.mark = database.mark
        self.lines = Lines(database)
        self.operators = Operators(database)
        self.work = Work(database)
        self.priors = Priors(database)
        self.machines = Machines(database)
        self.retention = Retention(database)

    @classmethod
    def open(cls, url: str) -> Index:
        """The index at an SQLAlchemy `url` (sqlite:///path or postgresql://...), migrated to today's schema."""
        return cls(Database.open(url))

    def close(self) -> None:
        """Give all connections back."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # Arrival

    def add_instance(self, received: Received) -> Added:
        """Make the row of an instance whose file is durable; when this returns the instance may be acknowledged."""
        began = perf_counter()
        added = self._together.add(received)
        INDEX_SECONDS.observe(perf_counter() - began)
        return added

    def association_opened(self, association_id: str, peer: str, calling_ae: str, at: datetime) -> None:
        """Note an accepted association."""
        with self._database.write(synced=False) as connection:
            arrivals.association_opened(connection, association_id, peer, calling_ae, at)

    def association_closed(self, association_id: str, at: datetime) -> None:
        """Note that an association ended, by release or otherwise."""
        with self._database.write(synced=False) as connection:
            arrivals.association_closed(connection, association_id, at)

    def close_all_associations(self, at: datetime) -> None:
        """Start-up of the listener: what a crash left open is closed."""
        with self._database.write() as connection:
            arrivals.close_all_associations(connection, at)

    def activities(self) -> list[Activity]:
        """The studies in `receiving`, oldest first."""
        with self._database.read() as connection:
            return arrivals.activities(connection)

    def reconcile(self, files: Files, read_header: ReadHeader) -> Reconciled:
        """Start-up: give files their rows back and mark rows whose file is gone."""
        return reconcile(self._database, files, read_header)

    # Refused

    def note_rejections(self, rejections: Sequence[Rejected]) -> None:
        """Count callers that were turned away; only the newest are kept."""
        with self._database.write(synced=False) as connection:
            refused.note_rejections(connection, rejections)

    def rejections(self) -> list[Rejected]:
        """The callers that were turned away, newest first."""
        with self._database.read() as connection:
            return refused.rejections(connection)

    def note_quarantined(self, entry: Quarantined, most: int, most_bytes: int) -> tuple[str, ...]:
        """Count an object that was refused; gives the files that have no row any more, which may be those of `entry`.

        The oldest leave until there are at most `most` rows, whose files have at most `most_bytes` in all.
        """
        with self._database.write(synced=False) as connection:
            return refused.note_quarantined(connection, entry, most, most_bytes)

    def quarantined(self) -> list[Quarantined]:
        """The objects that were refused, newest first."""
        with self._database.read() as connection:
            return refused.quarantined(connection)

    # Versions

    def close_version(self, study_uid: str, at: datetime, because: str = "") -> Version:
        """Name the content that is there: a new version is `queued`, a known one gets its state back.

        `because` goes into the history, once, whoever else closes it at the same time.

        Raises:
            Unusable: when there is no such study.
        """
        with self._database.write() as connection:
            return versions.close_version(connection, study_uid, at, because)

    def version(self, study_uid: str, content_version: str) -> Version:
        """One version.

        Raises:
            Unusable: when there is no such version.
        """
        with self._database.read() as connection:
            return versions.version_of(connection, study_uid, content_version)

    def waiting_jobs(self) -> list[Version]:
        """The newest versions in `queued`, `analysing` or `delivering`, in the order in which they were closed."""
        with self._database.read() as connection:
            return versions.waiting_jobs(connection)

    def instances(self, study_uid: str, content_version: str | None = None) -> list[StoredInstance]:
        """The instances that the analysis may read; with `content_version` exactly those that it names."""
        with self._database.read() as connection:
            return versions.instances(connection, study_uid, content_version)

    def predecessors(self, study_uid: str, content_version: str) -> list[str]:
        """SOP Instance UIDs of the structured reports of the latest earlier version that has any."""
        with self._database.read() as connection:
            return versions.predecessors(connection, study_uid, content_version)

    def set_state(
        self, study_uid: str, content_version: str, state: State, sentence: str, *, attempt: int | None = None
    ) -> bool:
        """Change the state of a version and its study; False, and no change, when newer content is there or arriving.

        With `attempt` also when the job of that attempt was ended, or begun anew, by somebody else.
        """
        with self._database.write() as connection:
            return versions.set_state(connection, study_uid, content_version, state, sentence, attempt=attempt)

    def set_progress(
        self, study_uid: str, content_version: str, stage: str, percent: int, *, attempt: int | None = None
    ) -> bool:
        """Say how far (0-100) the analysis is; False when the version, or this attempt at it, is out of date."""
        with self._database.write(synced=False) as connection:
            return versions.set_progress(connection, study_uid, content_version, stage, percent, attempt=attempt)

    def event(self, study_uid: str, word: str, sentence: str, at: datetime) -> None:
        """Add a line to the history of a study."""
        with self._database.write() as connection:
            arrivals.note(connection, study_uid, word, sentence, at)

    # What people said

    def keep_rule(self, rule: RoleRule, at: datetime) -> None:
        """Remember what the phases of this scanner and protocol are."""
        with self._database.write() as connection:
            told.keep_rule(connection, rule, at)

    def forget_rule(self, rule: RoleRule) -> None:
        """Go by the evidence again."""
        with self._database.write() as connection:
            told.forget_rule(connection, rule)

    def role_rules(self) -> tuple[RoleRule, ...]:
        """Everything remembered about phases, the newest first."""
        with self._database.read() as connection:
            return told.rules(connection)

    def tell(self, study_uid: str, facts: Mapping[str, Any], at: datetime) -> None:
        """Keep facts about a study (`seeds`, `procedure_at`); None takes one back.

        Raises:
            Unusable: There is no such study.
        """
        with self._database.write() as connection:
            told.tell(connection, study_uid, facts, at)

    def told(self, study_uid: str) -> dict[str, Any]:
        """The facts that people said about a study, by name."""
        with self._database.read() as connection:
            return told.told(connection, study_uid)

    def save_phases(
        self, study_uid: str, content_version: str, phases: Sequence[Mapping[str, Any]], *, attempt: int | None = None
    ) -> None:
        """Keep how the series of a version were understood; `attempt` as with the results."""
        with self._database.write() as connection:
            versions.must_be_at(connection, study_uid, content_version, attempt)
            told.save_phases(connection, study_uid, content_version, phases)

    # Results. With `attempt` it is the job of that attempt that speaks: StaleError when its version was begun anew.

    def save_result(
        self,
        study_uid: str,
        content_version: str,
        record: Mapping[str, Any],
        made: Sequence[MadeObject],
        at: datetime,
        *,
        attempt: int | None = None,
    ) -> None:
        """Keep the result of a version and its objects, in sending order; repeating it is harmless."""
        with self._database.write() as connection:
            versions.must_be_at(connection, study_uid, content_version, attempt)
            outbox.save_result(connection, study_uid, content_version, record, made, at)

    def save_refusal(
        self, study_uid: str, content_version: str, refusal: str, made: Sequence[MadeObject], *, attempt: int | None = None
    ) -> None:
        """Keep why a version has no result with the objects that say so; a result of before counts no more."""
        with self._database.write() as connection:
            versions.must_be_at(connection, study_uid, content_version, attempt)
            outbox.save_refusal(connection, study_uid, content_version, refusal, made)

    def plan_deliveries(
        self,
        study_uid: str,
        content_version: str,
        destinations: Sequence[str],
        at: datetime,
        only: outbox.Only = MappingProxyType({}),
        *,
        attempt: int | None = None,
    ) -> list[Delivery]:
        """Put the objects of a version on their way to `destinations`, once; older ones still waiting are superseded.

        `only` names the roles that a destination gets; one that it does not name, or has no role for, gets all.
        """
        with self._database.write() as connection:
            versions.must_be_at_work(connection, study_uid, content_version, attempt)
            return outbox.plan_deliveries(connection, (study_uid, content_version), destinations, at, only)

    def deliveries(
        self, study_uid: str | None = None, content_version: str | None = None, state: DeliveryState | None = None
    ) -> list[Delivery]:
        """Deliveries in sending order, narrowed by study, version and state."""
        with self._database.read() as connection:
            return outbox.deliveries(connection, study_uid, content_version, state)

    def settle(self, of: Version, state: State, sentence: str, at: datetime) -> bool:
        """End a delivery with a line in the history; False, and no change, when it has ended or newer content is there."""
        with self._database.write() as connection:
            return versions.settle(connection, of, state, sentence, at)

    # Views

    def studies(self, limit: int, offset: int = 0, state: State | None = None) -> list[StudySummary]:
        """The studies, last active first."""
        with self._database.read() as connection:
            return views.studies(connection, limit, offset, state)

    def study(self, study_uid: str) -> StudyDetail | None:
        """Everything about one study; None when it is unknown."""
        with self._database.read() as connection:
            return views.study_detail(connection, study_uid)

    def gauges(self) -> Gauges:
        """The numbers that are asked for every few seconds."""
        with self._database.read() as connection:
            return gauges.gauges(connection)

    def counts(self) -> Counts:
        """The whole index in a few numbers."""
        with self._database.read() as connection:
            return views.counts(connection)
