"""DICOM TLS in both directions: [listener.tls], [destination.tls]. All files are PEM."""

from __future__ import annotations

from pydantic import model_validator

from service.settings.table import Table


class ListenerTls(Table):
    """What the listener shows and whom it believes; without a certificate it speaks plain DICOM.

    With `require_client` every sender must show a certificate that an authority in `ca` issued.
    """

    certificate: str = ""
    key: str = ""
    ca: str = ""
    require_client: bool = True

    @model_validator(mode="after")
    def _whole(self) -> ListenerTls:
        """Half of it would be plain DICOM, or TLS with anybody, where somebody relies on more."""
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key belong together")
        if self.certificate and self.require_client and not self.ca:
            raise ValueError("require_client needs ca, the authorities that the senders' certificates are from")
        if self.ca and not self.certificate:
            raise ValueError("ca without certificate and key would be no TLS at all")
        return self


class DestinationTls(Table):
    """Whose certificate the destination must show, and ours; without `ca` it is sent plain DICOM.

    `host_name` is the name that its certificate holds where that is not the host of the address.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    host_name: str = ""

    @model_validator(mode="after")
    def _whole(self) -> DestinationTls:
        """Half of it would send patients in plain text where somebody relies on TLS."""
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key belong together")
        if (self.certificate or self.host_name) and not self.ca:
            raise ValueError("ca is needed, the authorities that the destination's certificate is from")
        return self
