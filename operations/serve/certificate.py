"""The site's own certificate: given by the user, or made on the spot for the local network."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = timedelta(days=397)  # browsers refuse certificates that are valid for longer
RENEW = timedelta(days=30)
FOLDER = "certificate"


class BadCertificate(Exception):
    """The certificate cannot be used."""


@dataclass(frozen=True)
class Certificate:
    """The files in PEM form, and the names that a certificate made here is for."""

    certificate: Path
    key: Path
    names: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise BadCertificate if a server could not use it."""
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self.certificate, self.key)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            sentence = f"{self.certificate} and {self.key} cannot be used as a certificate and its key ({why})"
            raise BadCertificate(
                f"{sentence}: give both as PEM files, of the same key and without a password."
            ) from error


def given(certificate: str, key: str) -> Certificate:
    """The user's own files; raises BadCertificate."""
    if not certificate or not key:
        raise BadCertificate("A certificate needs its key: give both, as --certificate FILE --key FILE.")
    found = Certificate(Path(certificate).expanduser().absolute(), Path(key).expanduser().absolute())
    found.check()
    return found


def made_here(data_folder: Path, more_names: list[str]) -> Certificate:
    """The certificate in the data folder, made anew if it expires soon or lacks a name of this machine."""
    folder = data_folder / FOLDER
    names = tuple(dict.fromkeys([*local_names(), *more_names]))
    found = Certificate(folder / "site.crt", folder / "site.key", names)
    if not _serves(found):
        folder.mkdir(mode=0o700, exist_ok=True)
        _make(found)
    found.check()
    return found


def local_names() -> list[str]:
    """The names and addresses by which this machine may be called."""
    addresses = [entry.address.partition("%")[0] for entries in psutil.net_if_addrs().values() for entry in entries]
    host = socket.gethostname()
    return ["localhost", host, f"{host}.local", *(address for address in addresses if _as_ip(address))]


def _serves(found: Certificate) -> bool:
    """Whether it is there, valid for a while, and for all names."""
    try:
        present = x509.load_pem_x509_certificate(found.certificate.read_bytes())
        names = present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    is_fresh = present.not_valid_after_utc - RENEW > datetime.now(UTC)
    return is_fresh and found.key.is_file() and set(_names(found.names)) <= set(names)


def _make(found: Certificate) -> None:
    """Write the key first, readable for this user alone; half a pair is made anew at the next start."""
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    _write(found.key, key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    _write(found.certificate, _signed(key, found.names).public_bytes(serialization.Encoding.PEM))


def _signed(key: ec.EllipticCurvePrivateKey, names: tuple[str, ...]) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "OneTrainer Web UI")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + VALID)
    for extension, critical in (
        (x509.SubjectAlternativeName(_names(names)), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256())


def _names(names: tuple[str, ...]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        address = _as_ip(name.strip("[]"))
        if address is not None:
            found.append(x509.IPAddress(address))
        elif name.isascii():
            found.append(x509.DNSName(name))
    return found


def _as_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    with suppress(ValueError):
        return ipaddress.ip_address(text)
    return None


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
