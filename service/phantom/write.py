"""A phantom patient as DICOM files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydicom import Dataset

from service.phantom.classic import classic_series
from service.phantom.drawings import draw_contours, draw_masks
from service.phantom.enhanced import enhanced_series
from service.phantom.faults import damage
from service.phantom.patient import PhantomPatient
from service.phantom.story import PROTOCOLS, Story
from service.study.model import Role

SegKind = Literal["fractional", "binary"]


def write_study(
    patient: PhantomPatient,
    folder: Path,
    *,
    enhanced: bool = False,
    seg: SegKind | None = None,
    rtstruct: bool = False,
    story: Story | None = None,
) -> list[Path]:
    """The files of a study, in the order in which a scanner would send them; what a reader drew comes last.

    The same patient and story give the same bytes. `enhanced` writes one Enhanced MR object a phase instead of one instance
    a slice. `seg` and `rtstruct` add contours of liver, ablation zone, tumor and vessel, drawn on the portal-venous phase.
    """
    tale = story or Story()
    if enhanced and tale.faults:
        raise ValueError("faults are for classic series only")
    paths: list[Path] = []
    for role in (role for role in PROTOCOLS if role in patient.phases and role not in tale.drop):
        items = _series(patient, tale, role, enhanced=enhanced)
        for fault in tale.faults.get(role, ()):
            items = damage(items, fault)
        paths += _save(items, folder / f"{PROTOCOLS[role].number:02d}_{role}")
    if seg is None and not rtstruct:
        return paths
    drawn_on = _series(patient, tale, _drawn_on(patient, tale), enhanced=enhanced)
    if seg is not None:
        paths += _save([draw_masks(patient, drawn_on, fractional=seg == "fractional")], folder / "90_seg")
    if rtstruct:
        paths += _save([draw_contours(patient, tale, drawn_on)], folder / "91_rtstruct")
    return paths


def _series(patient: PhantomPatient, story: Story, role: Role, *, enhanced: bool) -> list[Dataset]:
    return [enhanced_series(patient, story, role)] if enhanced else classic_series(patient, story, role)


def _drawn_on(patient: PhantomPatient, story: Story) -> Role:
    """The T1 phase that the reader drew on: portal-venous if it is there, else the first."""
    there = [role for role in PROTOCOLS if role in patient.phases and role not in story.drop and role is not Role.T2]
    return Role.PORTAL_VENOUS if Role.PORTAL_VENOUS in there else there[0]


def _save(items: list[Dataset], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"IM{n:04d}.dcm" for n in range(1, len(items) + 1)]
    for item, path in zip(items, paths, strict=True):
        item.save_as(path, enforce_file_format=True)
    return paths
