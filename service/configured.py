"""Settings as the plain options that each package takes: the one place where a setting's name meets its use."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from service.dicom.destination import EXPLICIT, IMPLICIT, Caller, Destination, Login, Verify, parse_destination
from service.dicom.tls import Credentials
from service.jobs.limits import bearable
from service.jobs.pauses import Pauses
from service.options import AnalysisOptions, ExamRule, RoleRule
from service.settings import DestinationTable, Settings
from service.study.complete import CompletionRule
from service.study.required import Requirement, When

if TYPE_CHECKING:  # each of them brings libraries that not every process needs
    from service.jobs.process import Limits
    from service.jobs.tidying import Keeping
    from service.store.quarantine import Bounds

_SYNTAXES = {"explicit_vr_little_endian": EXPLICIT, "implicit_vr_little_endian": IMPLICIT}


def options_of(settings: Settings) -> AnalysisOptions:
    """Every setting that can change a number, and which objects are made."""
    from service.regions.region import Kind

    drawn = settings.analysis.drawn
    kinds = {
        Kind.TUMOR: drawn.tumor,
        Kind.ABLATION_ZONE: drawn.ablation_zone,
        Kind.LIVER: drawn.liver,
        Kind.VESSEL: drawn.vessel,
    }
    labels = tuple((name, kind.value) for kind, names in kinds.items() for name in names)
    return AnalysisOptions(
        segmenters=settings.analysis.segmenters,
        labels=labels,
        outputs=settings.report.outputs,
        patient_on_page=settings.report.patient_on_page,
        network=settings.analysis.network,
        roles=tuple(RoleRule(**table.model_dump()) for table in settings.analysis.role),
        exams=tuple(ExamRule(**table.model_dump()) for table in settings.analysis.exam),
    )


def limits_of(settings: Settings) -> Limits:
    """What one analysis may use."""
    from service.jobs.process import Limits

    return Limits(settings.analysis.memory_mb, settings.analysis.timeout_s, settings.analysis.processor_s)


def parallel_of(settings: Settings) -> int:
    """How many analyses this machine runs at once."""
    analysis = settings.analysis
    return analysis.parallel or bearable(analysis.memory_mb)


def destinations_of(settings: Settings) -> tuple[Destination, ...]:
    """The configured receivers."""
    return tuple(_destination(one) for one in settings.destination)


def listener_tls(settings: Settings) -> Credentials | None:
    """The files of the listener's TLS; None where it speaks plain DICOM."""
    table = settings.listener.tls
    if not table.certificate:
        return None
    return _credentials(table.certificate, table.key, table.ca if table.require_client else "")


def caller_of(settings: Settings) -> Caller:
    """Who we are to destinations."""
    return Caller(settings.delivery.ae_title, settings.delivery.timeout_s)


def quarantine_bounds(settings: Settings) -> Bounds:
    """How much is kept of what cannot be understood."""
    from service.store.quarantine import Bounds

    return Bounds(settings.storage.quarantine_objects, settings.storage.quarantine_mb * 1_000_000)


def pauses_of(settings: Settings) -> Pauses:
    """How long a delivery, or an analysis that something outside keeps from beginning, waits before it is tried again."""
    delivery = settings.delivery
    return Pauses(delivery.first_pause_s, delivery.longest_pause_s, delivery.give_up_after_s)


def when_of(settings: Settings) -> When:
    """When a study that is being received is analysed."""
    table = settings.completion
    groups = [tuple(group.split("|")) for group in table.require]
    modalities, roles = (tuple(group for group in groups if group[0].islower() == lower) for lower in (False, True))
    required = Requirement(modalities, table.longest_wait_s, roles)
    return When(CompletionRule(table.quiet_s, table.quiet_after_release_s), required)


def keeping_of(settings: Settings) -> Keeping:
    """How long what is kept."""
    from service.jobs.tidying import Keeping
    from service.store.retention import Stock

    table = settings.retention
    days = {Stock.RECEIVED: table.received_days, Stock.RESULTS: table.results_days, Stock.OUTPUT: table.output_days}
    longest = {stock: timedelta(days=number) for stock, number in days.items() if number}
    return Keeping(longest, time.fromisoformat(table.begin), time.fromisoformat(table.end), table.share)


def index_url(settings: Settings) -> str:
    """Where the index is."""
    return settings.database.url or f"sqlite:///{settings.storage.folder.absolute() / 'index.sqlite'}"


def engine_url(settings: Settings) -> str:
    """Where the job engine keeps its own notes."""
    return settings.database.system_url or f"sqlite:///{settings.storage.folder.absolute() / 'engine.sqlite'}"


def syntax_words(uids: Collection[str]) -> tuple[str, ...]:
    """The words of the configuration for transfer syntaxes; those that it has no word for are left out."""
    return tuple(word for word, uid in _SYNTAXES.items() if uid in uids)


def _destination(table: DestinationTable) -> Destination:
    return replace(
        parse_destination(table.name, table.address, verify=Verify(table.verify)),
        verify_within_s=table.verify_within_s,
        otherwise=Verify(table.without_commitment),
        login=Login(table.username, Path(table.password_file)) if table.username else None,
        objects=frozenset(table.objects),
        syntaxes=tuple(_SYNTAXES[word] for word in table.transfer_syntaxes),
        character_set="" if table.character_set == "as_made" else table.character_set,
        tls=_credentials(table.tls.certificate, table.tls.key, table.tls.ca) if table.tls.ca else None,
        host_name=table.tls.host_name,
    )


def _credentials(certificate: str, key: str, authorities: str) -> Credentials:
    certificate_path, key_path, ca_path = (Path(name) if name else None for name in (certificate, key, authorities))
    return Credentials(certificate_path, key_path, ca_path)
