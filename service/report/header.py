"""What every output object says about patient, study, equipment and time.

Patient and study come from the sources as they are, so that the archive files the object in the same study; nothing is
corrected on the way. Source: DICOM PS3.3 C.7.1, C.7.2, C.7.3, C.7.5, C.12.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from re import fullmatch

from pydicom.charset import python_encoding
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from service.codes import DEVICE_UID, PRODUCT
from service.report import uids
from service.report.result import Result
from service.report.wording import clip

# Type 2: present even when the source does not know.
_REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
_COPIED = (
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID",
    "PatientBirthTime",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "EthnicGroup",
    "QualityControlSubject",
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "StudyDescription",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianIdentificationSequence",
    "PhysiciansOfRecord",
    "ProcedureCodeSequence",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "TimezoneOffsetFromUTC",
)
FROM_SOURCE = (*_REQUIRED, *_COPIED)
_TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_FIRST_SERIES_NUMBER, _SERIES_NUMBERS = 9000, 900


@dataclass(frozen=True, slots=True)
class Identity:
    """What one output object is: its kind, its place in the study and its texts."""

    role: str
    sop_class_uid: str
    modality: str
    series_description: str
    offset: int  # keeps the series numbers of the objects of one result apart


def begin(result: Result, sources: Sequence[Dataset], identity: Identity) -> Dataset:
    """A data set that has everything but its own content: file meta, SOP common, patient, study, series, equipment."""
    source = nearest(result, sources)
    made = Dataset()
    made.SOPClassUID = identity.sop_class_uid
    made.SOPInstanceUID = uids.of_object(result, identity.role)
    _copy_patient_and_study(source, made)
    made.StudyInstanceUID = result.study_instance_uid
    made.Modality = identity.modality
    made.SeriesInstanceUID = uids.of_series(made.SOPInstanceUID)
    made.SeriesNumber = series_number(result, sources, identity.offset)
    made.SeriesDescription = identity.series_description
    made.InstanceNumber = 1
    _add_equipment(result, made)
    _add_times(local_time(result.created_at, source), made)
    return made


def finish(made: Dataset, result: Result, sources: Sequence[Dataset]) -> Dataset:
    """The data set with the character set that all its texts can be written in: the source's, else UTF-8."""
    stated = nearest(result, sources).get("SpecificCharacterSet") or ()
    terms = _character_set(list(_texts(made)), [stated] if isinstance(stated, str) else list(stated))
    if terms:
        made.SpecificCharacterSet = terms[0] if len(terms) == 1 else list(terms)
    return made


def local_time(moment: datetime, source: Dataset) -> datetime:
    """The moment on the clock of the study: in the time zone that the source states, else as it was given."""
    offset = fullmatch(r"([+-])(\d\d)(\d\d)", str(source.get("TimezoneOffsetFromUTC") or "").strip())
    if offset is None or moment.tzinfo is None:
        return moment
    sign, hours, minutes = offset.groups()
    shift = timedelta(hours=int(hours), minutes=int(minutes))
    return moment.astimezone(timezone(-shift if sign == "-" else shift))


def series_number(result: Result, sources: Sequence[Dataset], offset: int) -> int:
    """A series number that nothing else in the study has, and that differs between versions of a result."""
    digest = sha256(result.content_version.encode()).digest()
    number = _FIRST_SERIES_NUMBER + 10 * (int.from_bytes(digest[:4], "big") % (_SERIES_NUMBERS // 10))
    taken = {use.phase.first.series_number for use in result.phases} | {source.get("SeriesNumber") for source in sources}
    while any(number + step in taken for step in range(10)):
        number += 10
    return number + offset


def nearest(result: Result, sources: Sequence[Dataset]) -> Dataset:
    """The source that patient and study are taken from: the first image of the reference phase, else any.

    Raises:
        ValueError: There is no source.
    """
    wanted = result.reference.phase.first.sop_instance_uid
    if not sources:
        raise ValueError("an output object needs the header of at least one source image")
    return next((source for source in sources if source.get("SOPInstanceUID") == wanted), sources[0])


def _copy_patient_and_study(source: Dataset, made: Dataset) -> None:
    for keyword in (*_REQUIRED, *_COPIED):
        if keyword in source:
            made[keyword] = _decoded(source[keyword])
        elif keyword in _REQUIRED:
            setattr(made, keyword, None)


def _decoded(element: DataElement) -> DataElement:
    """A copy whose nested texts no longer depend on the character set of the source."""
    copied = deepcopy(element)
    for item in copied.value if copied.VR == "SQ" else ():
        item.decode()
        item.pop("SpecificCharacterSet", None)
    return copied


def _add_equipment(result: Result, made: Dataset) -> None:
    made.Manufacturer = PRODUCT
    made.ManufacturerModelName = PRODUCT
    made.DeviceSerialNumber = DEVICE_UID
    made.SoftwareVersions = [clip(result.software.version, 64), clip(f"settings {result.software.settings_hash}", 64)]
    made.DeviceUID = DEVICE_UID


def _add_times(moment: datetime, made: Dataset) -> None:
    date, time = f"{moment:%Y%m%d}", f"{moment:%H%M%S.%f}"
    for name in ("Series", "Content", "InstanceCreation"):
        setattr(made, f"{name}Date", date)
        setattr(made, f"{name}Time", time)


def _texts(made: Dataset) -> Iterator[str]:
    for element in made.iterall():
        if element.VR in _TEXT_VRS and element.value is not None:
            values = element.value if element.VM > 1 else [element.value]
            yield from (str(value) for value in values)


def _character_set(texts: Sequence[str], stated: Sequence[str]) -> Sequence[str]:
    """The terms of Specific Character Set (PS3.3 C.12.1.1.2) in which all texts can be written; empty for plain ASCII."""
    known = all(term in python_encoding for term in stated)
    if all(text.isascii() for text in texts):
        return stated if known and tuple(stated) != ("ISO_IR 6",) else ()
    codecs = [python_encoding[term] for term in stated] if known else []
    return stated if all(_fits(text, codecs) for text in texts) else ("ISO_IR 192",)


def _fits(text: str, codecs: Sequence[str]) -> bool:
    return text.isascii() or any(_encodes(text, codec) for codec in codecs)


def _encodes(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
