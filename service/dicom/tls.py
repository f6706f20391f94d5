"""DICOM over TLS: versions 1.2 and 1.3, forward secrecy and authenticated encryption only.

Source: DICOM PS3.15 B.12 (BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

# RFC 9325 section 4.2, for TLS 1.2; the suites of TLS 1.3 are all of this kind.
_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK"

_WHY = {
    "BAD_CERTIFICATE": "it does not like our certificate",
    "CERTIFICATE_EXPIRED": "our certificate has expired",
    "CERTIFICATE_REQUIRED": "it wants a certificate from us",
    "CERTIFICATE_UNKNOWN": "it does not accept our certificate",
    "EE_KEY_TOO_SMALL": "the key is too short",
    "HANDSHAKE_FAILURE": "it found nothing in common, or wants a certificate from us",
    "HTTP_REQUEST": "it speaks HTTP, not TLS",
    "KEY_VALUES_MISMATCH": "the key is not that of the certificate",
    "NO_CERTIFICATE_OR_CRL_FOUND": "no certificate is in the file",
    "NO_SHARED_CIPHER": "it offers no cipher suite that this service takes",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it showed no certificate",
    "PROTOCOL_VERSION": "it takes none of the TLS versions 1.2 and 1.3",
    "PEM_LIB": "a file is no PEM, or the key is not there",
    "UNEXPECTED_EOF_WHILE_READING": "it hung up during the handshake",
    "UNKNOWN_CA": "it does not trust our certificate",
    "UNSUPPORTED_PROTOCOL": "it offers only TLS versions before 1.2",
    "WRONG_VERSION_NUMBER": "it does not speak TLS (plain DICOM?)",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files in PEM: our certificate with its chain, its key, and the authorities that the other end's certificate may be from.

    Without `certificate` we show none; without `ca` the other end need not show any.
    """

    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that are named."""
        return tuple(path for path in (self.certificate, self.key, self.ca) if path is not None)


class Acceptor:
    """The listener's side. Its files are read again for the next connection after one of them changed.

    Raises:
        OSError: when they cannot be used, at the start.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._seen = _stamps(credentials)
        self._context = acceptor_context(credentials)

    def wrap_socket(self, connection: Any, **_: Any) -> ssl.SSLSocket:
        """The connection behind TLS; the handshake is left to whoever serves it."""
        self._renew()
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)

    def _renew(self) -> None:
        """A pair that does not fit, or half of a file, is no reason to refuse everybody: the old one goes on meanwhile."""
        stamps = _stamps(self._credentials)
        if stamps == self._seen:
            return
        self._seen = stamps
        try:
            self._context = acceptor_context(self._credentials)
        except OSError as fault:
            log.error("tls_not_renewed", reason=why(fault))  # noqa: TRY400 the sentence says it
        else:
            log.info("tls_renewed")


def acceptor_context(credentials: Credentials) -> ssl.SSLContext:
    """What a listener speaks; peers must show a certificate when there is a `ca`.

    Raises:
        OSError: when a file cannot be read, is no PEM, or the key is not that of the certificate.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, credentials)
    if credentials.ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def requestor_context(credentials: Credentials) -> ssl.SSLContext:
    """What a sender speaks; it insists on a certificate from `ca` that holds the name of the host.

    Raises:
        OSError: as `acceptor_context` does.
    """
    return _context(ssl.PROTOCOL_TLS_CLIENT, credentials)


def shake_hands(connection: ssl.SSLSocket, timeout_s: float) -> None:
    """Make the other end show who it is; afterwards the connection waits as long as it did before.

    Raises:
        OSError: when it does not speak TLS, or not as it must; the connection is closed then.
    """
    before = connection.gettimeout()
    connection.settimeout(timeout_s)
    try:
        connection.do_handshake()
    except OSError:
        connection.close()
        raise
    connection.settimeout(before)


def no_tls(fault: OSError) -> str:
    """A failed handshake as a sentence for the log and the page."""
    return f"No TLS: {why(fault)}."


def why(fault: OSError) -> str:
    """Why there is no TLS with the other end.

    >>> why(ConnectionResetError(104, "Connection reset by peer"))
    'Connection reset by peer'
    """
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({fault.verify_message})"
    reason = str(getattr(fault, "reason", None) or "")
    if isinstance(fault, TimeoutError):
        return "it did not answer in time"
    known = next((sentence for end, sentence in _WHY.items() if reason.endswith(end)), "")
    return known or reason.lower().replace("_", " ") or fault.strerror or type(fault).__name__


def _context(protocol: int, credentials: Credentials) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    if credentials.certificate is not None:
        context.load_cert_chain(credentials.certificate, credentials.key, _no_password)
    if credentials.ca is not None:
        context.load_verify_locations(credentials.ca)
    return context


def _no_password() -> str:
    """Without this OpenSSL would ask at the terminal, and the service would wait for a person."""
    return ""


def _stamps(credentials: Credentials) -> tuple[tuple[int, int, int] | None, ...]:
    """What changes when one of the files does."""
    return tuple(_stamp(path) for path in credentials.files)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
