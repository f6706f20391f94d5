"""Liver exams as scanners of five vendors and Enhanced MR describe them: one line a stack, made after conformance statements.

A line is (role that must come out, seconds from the start, description, attributes). Attributes of one exam are shared;
tuples of eight hex digits name private elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

Attributes = dict[Any, Any]
Stack = tuple[str, int, str, Attributes]
SLICES = 4
DIRECTIONS = ([1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1])


@dataclass(frozen=True, slots=True)
class Exam:
    """What all stacks share, and the stacks."""

    shared: Attributes
    stacks: list[Stack]


def _t1(tr: float, te: float, angle: float, sequence: str = "GR", variant: tuple[str, ...] = ("SP",)) -> Attributes:
    return {
        "ScanningSequence": sequence,
        "SequenceVariant": list(variant),
        "RepetitionTime": tr,
        "EchoTime": te,
        "FlipAngle": angle,
        "MRAcquisitionType": "3D",
        "ScanOptions": "FS",
    }


def _se(tr: float, te: float, train: int = 100) -> Attributes:
    return {
        "ScanningSequence": "SE",
        "SequenceVariant": "SK",
        "RepetitionTime": tr,
        "EchoTime": te,
        "EchoTrainLength": train,
        "MRAcquisitionType": "2D",
    }


def _epi(*sequence: str, te: float = 60.0) -> Attributes:
    return {"ScanningSequence": list(sequence), "SequenceVariant": "SK", "RepetitionTime": 5000.0, "EchoTime": te}


def _kind(*words: str) -> Attributes:
    return {"ImageType": list(words)}


def _dual(te: float, tr: float = 120.0) -> Attributes:
    return {**_t1(tr, te, 70.0), "MRAcquisitionType": "2D", "ScanOptions": ""}


ORIGINAL = _kind("ORIGINAL", "PRIMARY", "M")
AGENT = {"ContrastBolusAgent": "Gadobutrol"}

_VIBE = {**_t1(3.9, 1.4, 9.0, variant=("SK", "SP", "OSP")), **_kind("ORIGINAL", "PRIMARY", "M", "ND", "NORM", "FM", "FIL")}
SIEMENS = Exam(
    {"Manufacturer": "SIEMENS", "MagneticFieldStrength": 1.5},
    [
        ("localizer", 0, "localizer_haste", {**_se(1000, 85), **_kind("ORIGINAL", "PRIMARY", "M", "NORM", "LOCALIZER")}),
        ("t2", 60, "t2_haste_tra_mbh", {**_se(1200, 92), **ORIGINAL}),
        ("opposed_phase", 120, "t1_fl2d_opp-in_tra_mbh", {**_dual(2.38), **ORIGINAL}),
        ("in_phase", 120, "t1_fl2d_opp-in_tra_mbh", {**_dual(4.76), **ORIGINAL}),
        ("dwi", 200, "ep2d_diff_b50_800", {**_epi("EP"), **ORIGINAL, (0x0019, 0x100C): 50}),
        ("dwi", 200, "ep2d_diff_b50_800", {**_epi("EP"), **_kind("ORIGINAL", "PRIMARY", "DIFFUSION"), (0x0019, 0x100C): 800}),
        ("adc", 210, "ep2d_diff_b50_800_ADC", {**_epi("EP"), **_kind("DERIVED", "PRIMARY", "DIFFUSION", "ADC", "ND")}),
        ("t1_pre", 300, "t1_vibe_fs_tra_bh", _VIBE),
        ("arterial", 400, "t1_vibe_fs_tra_bh", {**_VIBE, **AGENT}),
        ("portal_venous", 445, "t1_vibe_fs_tra_bh", {**_VIBE, **AGENT}),
        ("delayed", 580, "t1_vibe_fs_tra_bh", {**_VIBE, **AGENT}),
        ("subtraction", 600, "t1_vibe_fs_tra_bh_SUB", {**_VIBE, **AGENT, **_kind("DERIVED", "SECONDARY", "OTHER", "SUB")}),
        ("other", 610, "t1_vibe_fs_tra_bh_MIP", {**_VIBE, **AGENT, **_kind("DERIVED", "SECONDARY", "MIP")}),
        ("other", 620, "t2_trufi_cor", {**_t1(3.7, 1.8, 60.0, variant=("SK", "SS")), **ORIGINAL}),
    ],
)

_DIXON = _t1(6.7, 2.39, 10.0, variant=("SK", "SP", "OSP"))
SIEMENS_DIXON = Exam(
    {"Manufacturer": "Siemens Healthineers", "MagneticFieldStrength": 1.5, "ContrastBolusAgent": "Primovist"},
    [
        ("t1_pre", 0, "t1_vibe_dixon_nativ_W", {**_DIXON, **_kind("DERIVED", "PRIMARY", "DIXON", "WATER")}),
        ("other", 0, "t1_vibe_dixon_nativ_F", {**_DIXON, **_kind("DERIVED", "PRIMARY", "DIXON", "FAT")}),
        ("in_phase", 0, "t1_vibe_dixon_nativ_in", {**_DIXON, **_kind("ORIGINAL", "PRIMARY", "DIXON", "IN_PHASE")}),
        ("opposed_phase", 0, "t1_vibe_dixon_nativ_opp", {**_DIXON, **_kind("ORIGINAL", "PRIMARY", "DIXON", "OPP_PHASE")}),
        ("arterial", 90, "t1_vibe_dixon_art_W", {**_DIXON, **_kind("DERIVED", "PRIMARY", "DIXON", "WATER")}),
        ("portal_venous", 130, "t1_vibe_dixon_pv_W", {**_DIXON, **_kind("DERIVED", "PRIMARY", "DIXON", "WATER")}),
        ("delayed", 300, "t1_vibe_dixon_spaet_W", {**_DIXON, **_kind("DERIVED", "PRIMARY", "DIXON", "WATER")}),
        ("hepatobiliary", 1290, "t1_vibe_dixon_hb_W", {**_DIXON, **_kind("DERIVED", "PRIMARY", "DIXON", "WATER")}),
    ],
)

_LAVA = {**_t1(4.2, 2.0, 12.0, variant=("SS", "SP", "SK")), **_kind("ORIGINAL", "PRIMARY", "OTHER"), (0x0043, 0x1039): 0}
GE = Exam(
    {"Manufacturer": "GE MEDICAL SYSTEMS", "MagneticFieldStrength": 3.0},
    [
        ("localizer", 0, "3-Plane Loc SSFSE", {**_se(900, 80), **_kind("ORIGINAL", "PRIMARY", "OTHER"), (0x0043, 0x1039): 0}),
        ("t2", 40, "Ax T2 SSFSE BH", {**_se(850, 95), **_kind("ORIGINAL", "PRIMARY", "OTHER"), (0x0043, 0x1039): 0}),
        ("t2", 60, "Ax T2 PROPELLER RTr", {**_se(8000, 85), **_kind("ORIGINAL", "PRIMARY", "OTHER")}),
        ("opposed_phase", 90, "Ax Dual Echo", {**_dual(1.2), **_kind("ORIGINAL", "PRIMARY", "OTHER")}),
        ("in_phase", 90, "Ax Dual Echo", {**_dual(2.4), **_kind("ORIGINAL", "PRIMARY", "OTHER")}),
        ("dwi", 150, "Ax DWI", {**_epi("EP", "RM"), **_kind("ORIGINAL", "PRIMARY", "OTHER"), (0x0043, 0x1039): 0}),
        ("dwi", 150, "Ax DWI", {**_epi("EP", "RM"), **_kind("ORIGINAL", "PRIMARY", "OTHER"), (0x0043, 0x1039): 1_000_000_600}),
        ("adc", 160, "Apparent Diffusion Coefficient (mm2/s)", {**_epi("EP", "RM"), **_kind("DERIVED", "SECONDARY", "ADC")}),
        (
            "unknown",
            170,
            "Ax fMRI",
            {**_epi("EP", "GR", te=28.0), **_kind("ORIGINAL", "PRIMARY", "OTHER"), (0x0043, 0x1039): 0},
        ),
        ("t1_pre", 200, "Ax LAVA PRE", _LAVA),
        ("arterial", 300, "Ax LAVA +C", {**_LAVA, **AGENT, "SequenceVariant": ["SS", "SK"]}),
        ("portal_venous", 345, "Ax LAVA +C", {**_LAVA, **AGENT}),
        ("delayed", 500, "Ax LAVA +C", {**_LAVA, **AGENT, "ScanningSequence": "RM"}),
        ("subtraction", 520, "SUB: Ax LAVA", {**_LAVA, **AGENT, **_kind("DERIVED", "SECONDARY", "SUBTRACT")}),
        ("other", 530, "Cor FIESTA", {**_t1(4.0, 1.7, 55.0, variant=("SS", "SK")), **_kind("ORIGINAL", "PRIMARY", "OTHER")}),
        ("other", 540, "MRCP", {**_se(3000, 700), **_kind("ORIGINAL", "PRIMARY", "OTHER")}),
    ],
)

_THRIVE = {**_t1(3.8, 1.8, 10.0), **_kind("ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE")}
# One clock for the whole series; the dynamics say when they began in a private element.
PHILIPS = Exam(
    {"Manufacturer": "Philips Medical Systems", "MagneticFieldStrength": 1.5},
    [
        ("localizer", 0, "Survey", {**_t1(10, 4.0, 15.0), **_kind("ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE")}),
        ("t2", 30, "T2W_TSE_RT", {**_se(1600, 80), **_kind("ORIGINAL", "PRIMARY", "M_SE", "M", "SE")}),
        ("opposed_phase", 60, "mDIXON", {**_t1(6, 1.8, 15.0), **_kind("ORIGINAL", "PRIMARY", "OP", "OP", "DERIVED")}),
        ("in_phase", 60, "mDIXON", {**_t1(6, 1.8, 15.0), **_kind("ORIGINAL", "PRIMARY", "IP", "IP", "DERIVED")}),
        ("other", 60, "mDIXON", {**_t1(6, 1.8, 15.0), **_kind("DERIVED", "PRIMARY", "F", "F", "DERIVED")}),
        ("dwi", 100, "DWI_3b", {**_epi("SE", "EP"), **_kind("ORIGINAL", "PRIMARY", "M_SE", "M", "SE"), (0x2001, 0x1003): 0.0}),
        (
            "dwi",
            100,
            "DWI_3b",
            {**_epi("SE", "EP"), **_kind("ORIGINAL", "PRIMARY", "M_SE", "M", "SE"), (0x2001, 0x1003): 800.0},
        ),
        ("adc", 110, "dADC", {**_epi("SE", "EP"), **_kind("ORIGINAL", "PRIMARY", "ADC_UNSPECIFIED", "ADC", "UNSPECIFIED")}),
        ("t1_pre", 200, "dyn_eTHRIVE", {**_THRIVE, "TemporalPositionIdentifier": 1, (0x2005, 0x10A0): 0.0}),
        ("arterial", 200, "dyn_eTHRIVE", {**_THRIVE, "TemporalPositionIdentifier": 2, (0x2005, 0x10A0): 60.0}),
        ("portal_venous", 200, "dyn_eTHRIVE", {**_THRIVE, "TemporalPositionIdentifier": 3, (0x2005, 0x10A0): 105.0}),
        ("delayed", 200, "dyn_eTHRIVE", {**_THRIVE, "TemporalPositionIdentifier": 4, (0x2005, 0x10A0): 240.0}),
        ("subtraction", 500, "dSub", {**_THRIVE, **_kind("DERIVED", "PRIMARY", "SUBTRACTION", "M", "FFE")}),
        ("other", 520, "BFFE", {**_t1(3.3, 1.6, 60.0, variant=("SS",)), **_kind("ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE")}),
    ],
)

_QUICK = {**_t1(4.0, 1.3, 12.0), **ORIGINAL}
CANON = Exam(
    {"Manufacturer": "CANON_MEC", "MagneticFieldStrength": 1.5},
    [
        ("localizer", 0, "Locator", {**_t1(8, 4.0, 20.0), **ORIGINAL}),
        ("t2", 30, "FASE T2 BH", {**_se(1500, 80), **ORIGINAL}),
        ("dwi", 60, "DWI b1000", {**_epi("SE", "EP"), **ORIGINAL, "ImageComments": "b=0(0.000,0.000,0.000)"}),
        ("dwi", 60, "DWI b1000", {**_epi("SE", "EP"), **ORIGINAL, "ImageComments": "b=1000(0.445,0.000,0.895)"}),
        ("adc", 70, "ADC", {**_epi("SE", "EP"), **_kind("DERIVED", "SECONDARY", "ADC")}),
        ("in_phase", 80, "WFOP in phase", {**_t1(5, 4.6, 12.0), **ORIGINAL}),
        ("opposed_phase", 80, "WFOP out phase", {**_t1(5, 2.3, 12.0), **ORIGINAL}),
        ("t1_pre", 200, "Quick 3Ds", _QUICK),
        ("arterial", 260, "Quick 3Ds", {**_QUICK, **AGENT}),
        ("portal_venous", 300, "Quick 3Ds", {**_QUICK, **AGENT}),
        ("delayed", 440, "Quick 3Ds", {**_QUICK, **AGENT}),
    ],
)

_UIH = {**_t1(3.6, 1.6, 10.0), **_kind("ORIGINAL", "PRIMARY", "M", "NONE")}
UIH = Exam(
    {"Manufacturer": "UIH", "MagneticFieldStrength": 3.0},
    [
        ("localizer", 0, "scout", {**_t1(6, 3.0, 15.0), **_kind("ORIGINAL", "PRIMARY", "M", "NONE")}),
        ("t2", 30, "t2_arms_fse_tra_trig", {**_se(3500, 90), **_kind("ORIGINAL", "PRIMARY", "M", "NONE")}),
        ("dwi", 60, "epi_dwi_tra", {**_epi("EP"), **_kind("ORIGINAL", "PRIMARY", "M", "VFRAME"), (0x0065, 0x1009): 1.25}),
        ("dwi", 60, "epi_dwi_tra", {**_epi("EP"), **_kind("ORIGINAL", "PRIMARY", "M", "VFRAME"), (0x0065, 0x1009): 799.1}),
        ("adc", 70, "epi_dwi_tra_ADC", {**_epi("EP"), **_kind("DERIVED", "PRIMARY", "ADC")}),
        ("t1_pre", 200, "t1_quick3d_tra_bh", _UIH),
        ("arterial", 280, "t1_quick3d_tra_bh", {**_UIH, **AGENT}),
        ("portal_venous", 325, "t1_quick3d_tra_bh", {**_UIH, **AGENT}),
        ("delayed", 460, "t1_quick3d_tra_bh", {**_UIH, **AGENT}),
        ("opposed_phase", 500, "t1_gre_wfi_op", {**_t1(5, 1.1, 9.0), **_kind("ORIGINAL", "PRIMARY", "M", "WFI_OP")}),
        ("in_phase", 500, "t1_gre_wfi_ip", {**_t1(5, 2.3, 9.0), **_kind("ORIGINAL", "PRIMARY", "M", "WFI_IP")}),
    ],
)

# Agent and start of the injection are set for the whole exam: only the clock of the injection tells before from after.
INJECTION = Exam(
    {"Manufacturer": "SIEMENS", "MagneticFieldStrength": 1.5, **AGENT, "ContrastBolusStartTime": "100500"},
    [
        ("t1_pre", 100, "vibe", _VIBE),
        ("arterial", 325, "vibe", _VIBE),
        ("portal_venous", 370, "vibe", _VIBE),
        ("delayed", 500, "vibe", _VIBE),
    ],
)

EXAMS = {
    "Siemens": SIEMENS,
    "Siemens Dixon": SIEMENS_DIXON,
    "GE": GE,
    "Philips": PHILIPS,
    "Canon": CANON,
    "United Imaging": UIH,
    "start of the injection": INJECTION,
}

_PRIVATE_VR = {0x0019: "IS", 0x0043: "IS", 0x2001: "FL", 0x2005: "FL", 0x0065: "FD"}


def datasets(exam: Exam) -> Iterator[tuple[str, Dataset]]:
    """Each slice with the key of its stack: a series for each description and time, as the scanners do."""
    series: dict[tuple[str, int], str] = {}
    for stack, (role, seconds, description, attributes) in enumerate(exam.stacks):
        uid = series.setdefault((description, seconds), generate_uid(entropy_srcs=[description, str(seconds)]))
        for k in range(SLICES * (len(DIRECTIONS) if role == "localizer" else 1)):
            turned = {"ImageOrientationPatient": DIRECTIONS[k // SLICES]}
            yield str(stack), _slice({**exam.shared, **turned, **attributes}, seconds, description, uid, 100 * stack + k)


def _slice(attributes: Attributes, seconds: int, description: str, series: str, number: int) -> Dataset:
    item = Dataset()
    item.SOPClassUID, item.Modality = "1.2.840.10008.5.1.4.1.1.4", "MR"
    item.StudyInstanceUID, item.SeriesInstanceUID, item.SOPInstanceUID = "1.2.3", series, f"1.2.3.{number + 1}"
    item.StudyDate = item.SeriesDate = item.AcquisitionDate = "20240302"
    item.AcquisitionTime = f"10{seconds // 60:02d}{seconds % 60:02d}"
    item.PatientID, item.BodyPartExamined, item.FrameOfReferenceUID = "P1", "ABDOMEN", "1.9"
    item.SeriesNumber, item.InstanceNumber = 1 + number // 100, number % 100 + 1
    item.SeriesDescription = description
    item.Rows, item.Columns, item.SamplesPerPixel, item.SliceThickness = 64, 64, 1, 3.0
    item.PixelSpacing, item.ImagePositionPatient = [1.2, 1.2], [3.0 * (number % 100)] * 3
    for key, value in attributes.items():
        if isinstance(key, tuple):
            item.add_new(key, _PRIVATE_VR[key[0]], value)
        else:
            setattr(item, key, value)
    return item
