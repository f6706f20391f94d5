"""One study as the service would have decided it: a narrow margin, a question that cannot be answered, a late image."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from service.codes import MM, NO, PERCENT, YES, Code, ours
from service.features.finding import Finding, Reason, Status
from service.report.record import to_record
from service.report.result import PhaseUse, Result, Software, TumorResult
from service.study.model import Frame, Instance, Phase, Plane, Role

STUDY = "1.2.826.0.1.3680043.8.498.1"
RECEIVING = "1.2.826.0.1.3680043.8.498.2"
AT = datetime(2026, 3, 1, 10, 30, 5, tzinfo=UTC)
VERDICT = (
    "Limited by coil noise. The narrowest place between tumor and untreated liver is 2.4 mm wide (1.9 to 2.9 mm): <= 3 mm."
)
NOT_PREDICTIVE = "Not predictive in the source study (10/14 vs 25/40, p = .75)."
AT_MOST_3 = ours("AT_MOST_3", "<= 3 mm")


def record(
    study_uid: str, content_version: str, warnings: tuple[str, ...] = ("The liver was not drawn: capsule not modelled.",)
) -> dict[str, Any]:
    """The result record of the sample, as `report` writes it."""
    phases = (
        _phase(study_uid, 5, "T1 VIBE portal venous", Role.PORTAL_VENOUS, "vessels are brightest; 70 s after contrast"),
        _phase(study_uid, 3, "T1 VIBE pre", Role.T1_PRE, "no contrast agent in the header"),
        _phase(study_uid, 8, "T2 HASTE", Role.T2, "echo time 92 ms"),
    )
    result = Result(
        study_instance_uid=study_uid,
        content_version=content_version,
        created_at=AT,
        software=Software("Cryomargin", "0.1.0", "3f9a1c20b7de"),
        verdict=VERDICT,
        reference=phases[0],
        phases=phases,
        tumors=(TumorResult("1", "Tumor 1", "2.25.1", _findings(phases[0].phase.key), None, None),),
        warnings=warnings,
        predecessors=("2.25.99",),
    )
    return to_record(result)


def _findings(key: str) -> tuple[Finding, ...]:
    return (
        _measured("minimum_ablation_margin", "Minimum ablation margin", 2.4, MM, (1.9, 2.9), key),
        Finding(
            name="margin_category",
            title="Margin category",
            code=ours("MARGINCAT", "Margin category"),
            method="asymmetry rule",
            status=Status.MEASURED,
            category=AT_MOST_3,
            contours="drawn",
        ),
        _measured("assessable_fraction", "Assessable part of the margin", 93.0, PERCENT, None, key),
        Finding(
            name="bridging_vessel",
            title="Bridging vessel",
            code=ours("BRIDGE", "Bridging vessel"),
            method="widest path",
            status=Status.NOT_ASSESSABLE,
            reason=Reason("margin.partly_assessable", "None was seen, but 7 % of the margin could not be judged."),
            inputs=(key,),
        ),
        Finding(
            name="tumor_enhancement",
            title="Tumor enhancement",
            code=ours("ENHANCE", "Tumor enhancement"),
            method="median of the eroded tumor",
            status=Status.MEASURED,
            value=27.0,
            unit=PERCENT,
            category=YES,
            note=NOT_PREDICTIVE,
            contours="drawn",
        ),
    )


def _measured(name: str, title: str, value: float, unit: Code, interval: tuple[float, float] | None, key: str) -> Finding:
    return Finding(
        name=name,
        title=title,
        code=NO,
        method="soft surface to untreated liver",
        status=Status.MEASURED,
        value=value,
        unit=unit,
        interval=interval,
        place=(12.5, -40.0, 88.2),
        contours="drawn",
        inputs=(key,),
    )


def _phase(study_uid: str, number: int, description: str, role: Role, reason: str) -> PhaseUse:
    instance = Instance(
        study_instance_uid=study_uid,
        series_instance_uid=f"{study_uid}.{number}",
        sop_instance_uid=f"{study_uid}.{number}.1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        content="a",
        modality="MR",
        series_number=number,
        series_description=description,
    )
    phase = Phase(f"{study_uid}.{number}", instance.series_instance_uid, (Plane(instance, Frame(1)),))
    return PhaseUse(phase, role, 0.94, (reason,), used=role is not Role.T2)
