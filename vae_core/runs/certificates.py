"""Certificates for a cluster elsewhere: `python -m vae_core.runs.certificates FOLDER`.

Writes a certificate authority of its own (ca.pem) and, signed by it, one pair for each role of Dask: scheduler, worker,
client. Dask lets in whoever shows a certificate of that authority and never looks at names, so the authority's key is
not written at all: nobody can make another, and a new set replaces the whole of the old one.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vae_core.folders import private

ROLES = ("scheduler", "worker", "client")
DAYS = 365


def make(folder: Path) -> bool:
    """Whether a set was made; one that is there already and has not ended stays. Raises OSError."""
    if all((folder / name).exists() for name in _names()) and not _ended(folder / "ca.pem"):
        return False
    private(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("authority", key, None, key)
    written = {"ca.pem": ca.public_bytes(serialization.Encoding.PEM)}
    for role in ROLES:
        own = ec.generate_private_key(ec.SECP256R1())
        written[f"{role}.pem"] = _certificate(role, own, ca, key).public_bytes(serialization.Encoding.PEM)
        written[f"{role}-key.pem"] = own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    for name, content in written.items():
        part = folder / f"{name}.part"
        part.touch(0o600)
        part.write_bytes(content)
        os.replace(part, folder / name)
    return True


def _names() -> list[str]:
    return ["ca.pem", *(f"{role}{end}.pem" for role in ROLES for end in ("", "-key"))]


def _ended(path: Path) -> bool:
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc <= datetime.now(UTC)


def _certificate(
    name: str, own: ec.EllipticCurvePrivateKey, ca: x509.Certificate | None, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"vae-likelihoods {name}")])
    now = datetime.now(UTC)
    is_ca = ca is None
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=is_ca, crl_sign=is_ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if ca is None else ca.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("Say where: python -m vae_core.runs.certificates FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    try:
        made = make(folder)
    except (OSError, ValueError) as error:
        print(f"The certificates in {folder} could not be written or read: {error}", file=sys.stderr)
        return 1
    print(f"{folder} has a new set, for {DAYS} days." if made else f"{folder} has a set that still holds.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
