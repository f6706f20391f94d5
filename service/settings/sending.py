"""How results leave: [delivery], [[destination]]."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from service.settings.encryption import DestinationTls
from service.settings.table import Address, AeTitle, Output, Seconds, Syntax, Table


class Delivery(Table):
    """How results are sent; a destination that is down is asked again after ever longer pauses."""

    ae_title: AeTitle = "CRYOMARGIN"
    timeout_s: Seconds = 30.0
    first_pause_s: Seconds = 5.0
    longest_pause_s: Seconds = 900.0
    give_up_after_s: Seconds = 604800.0


class DestinationTable(Table):
    """One receiver of results: address "AETITLE@host:port", or "https://host/dicom-web" with `username` and `password_file`.

    `verify` is how it is made sure that they arrived: what it neither promises to keep (commitment) nor shows (find) within
    `verify_within_s` is sent again; `without_commitment` is what is done where it offers no storage commitment, or does not
    report in time. `objects` are those that it gets (empty: all that are made), `transfer_syntaxes` those offered to it,
    `character_set` the one that texts are written in for it.
    """

    name: Annotated[str, Field(min_length=1, max_length=64)]
    address: Address
    verify: Literal["commitment", "find", "none"] = "none"
    verify_within_s: Seconds = 3600.0
    without_commitment: Literal["find", "none"] = "find"
    username: str = ""
    password_file: str = ""
    objects: tuple[Output, ...] = ()
    transfer_syntaxes: Annotated[tuple[Syntax, ...], Field(min_length=1)] = (
        "explicit_vr_little_endian",
        "implicit_vr_little_endian",
    )
    character_set: Literal["as_made", "ISO_IR 100", "ISO_IR 192"] = "as_made"
    tls: DestinationTls = DestinationTls()

    @model_validator(mode="after")
    def _web_or_dicom(self) -> DestinationTable:
        """What only one of the two kinds can do must not be asked of the other."""
        if self.address.startswith("http") and self.verify == "commitment":
            raise ValueError('DICOMweb has no storage commitment: verify must be "find" or "none"')
        if bool(self.username) != bool(self.password_file):
            raise ValueError("username and password_file belong together")
        if self.username and not self.address.startswith("https://"):
            raise ValueError("a password goes to an https:// address alone")
        if self.address.startswith("http://") and self.tls.ca:
            raise ValueError("an http:// address is plain text: name an https:// one, or leave tls out")
        if self.address.startswith("https://") and self.tls.host_name:
            raise ValueError("tls.host_name is for DICOM addresses: https is held to the host of the address")
        return self
