"""Whether the files of TLS are in order, for the doctor and the page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from service.dicom.tls import Credentials, requestor_context, why

_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Looked:
    """Whether the files can be used now, and what was seen (one sentence)."""

    well: bool
    seen: str


def look_at(credentials: Credentials, now: datetime) -> Looked:
    """Can they be read, is the key that of the certificate, and are the certificates valid at `now`?"""
    try:
        requestor_context(credentials)
        return _valid(credentials, now)
    except (OSError, ValueError) as fault:
        files = ", ".join(str(path) for path in credentials.files)
        return Looked(well=False, seen=f"cannot be used: {why(fault) if isinstance(fault, OSError) else fault} ({files})")


def _valid(credentials: Credentials, now: datetime) -> Looked:
    ours = _certificates(credentials.certificate)
    authorities = _certificates(credentials.ca)
    begin = max((one.not_valid_before_utc for one in ours), default=now)
    ends = [one.not_valid_after_utc for one in ours]
    if authorities:  # one that is valid is enough
        ends.append(max(one.not_valid_after_utc for one in authorities))
    if begin > now:
        return Looked(well=False, seen=f"not valid before {begin:%Y-%m-%d %H:%M} UTC")
    return _until(min(ends), now) if ends else Looked(well=False, seen="no certificate is named")


def _until(end: datetime, now: datetime) -> Looked:
    if end <= now:
        return Looked(well=False, seen=f"expired on {end:%Y-%m-%d}")
    warning = f", renew it: {(end - now).days} days are left" if end - now < _SOON else ""
    return Looked(well=True, seen=f"valid until {end:%Y-%m-%d}{warning}")


def _certificates(path: Path | None) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes()) if path is not None else []
