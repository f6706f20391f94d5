"""A certificate authority of our own, and PEM files of certificates that it issued."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from service.dicom.tls import Credentials

NOW = datetime.now(UTC)
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Authority:
    """An authority with its files below `folder`."""

    def __init__(self, folder: Path, name: str = "hospital") -> None:
        self._folder = folder
        self._name = _name(f"{name} CA")
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(self._name, self._name, self._key, (NOW - timedelta(1), NOW + timedelta(365)))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.ca = folder / f"{name}-ca.pem"
        self.ca.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(
        self, name: str, *, host: str = "127.0.0.1", days: tuple[float, float] = (-1, 90), ca: Path | None = None
    ) -> Credentials:
        """A certificate for `host` valid from day to day as seen from now, with its key; believes in `ca` (this authority)."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)  # what most PACS have
        ends = NOW + timedelta(days[0]), NOW + timedelta(days[1])
        names = x509.SubjectAlternativeName([_general(host)])
        builder = _builder(_name(name), self._name, key, ends).add_extension(names, critical=False)
        certificate, secret = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(pem(key))
        return Credentials(certificate, secret, ca or self.ca)


def pem(key: PrivateKey, password: bytes = b"") -> bytes:
    """A key as a file holds it."""
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, hidden)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, ends: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.serial_number(x509.random_serial_number()).not_valid_before(ends[0]).not_valid_after(ends[1])


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
