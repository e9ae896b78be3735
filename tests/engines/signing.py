"""A sigstore of one's own: a certificate authority, its certificate log, a transparency log, and who signs with them.

What is signed is made as the public ones make it: certificates with an embedded timestamp (RFC 6962), a DSSE envelope
around a statement of CEP 27, and a log entry with promise, proof of inclusion and checkpoint.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ISSUER = "https://token.actions.githubusercontent.com"
NOW = datetime.now(UTC).replace(microsecond=0)
START = (NOW - timedelta(days=300)).isoformat().replace("+00:00", "Z")
SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
FULCIO_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
LOG = "log.test"
SIGNER = "https://github.com/forge/recipes/.github/workflows/build.yaml@refs/heads/main"


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    kind, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(kind, form)


def sign(key: ec.EllipticCurvePrivateKey, content: bytes) -> bytes:
    return key.sign(content, ec.ECDSA(hashes.SHA256()))


def compact(plain: Any) -> bytes:
    return json.dumps(plain, separators=(",", ":"), sort_keys=True).encode()


@dataclass(frozen=True)
class Sigstore:
    """Signs packages; ``trusted_root()`` is what a verifier is given."""

    authority: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    certificates: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    log: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    def root(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
        made = x509.CertificateBuilder(name, name, self.authority.public_key(), 1)
        made = made.not_valid_before(NOW - timedelta(days=300)).not_valid_after(NOW + timedelta(days=300))
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        made = made.add_extension(_usage(sign_certificates=True), critical=True)
        made = made.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(self.authority.public_key()), critical=False
        )
        return made.sign(self.authority, hashes.SHA256())

    def trusted_root(self) -> str:
        authority = {
            "subject": {"organization": "test", "commonName": "test authority"},
            "uri": "https://authority.test",
            "certChain": {"certificates": [{"rawBytes": b64(der(self.root()))}]},
            "validFor": {"start": START},
        }
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [_log("https://log.test", self.log)],
                "certificateAuthorities": [authority],
                "ctlogs": [_log("https://certificates.test", self.certificates)],
                "timestampAuthorities": [],
            }
        )

    def sidecar(self, name: str, sha256: str, channel: str, identity: str) -> bytes:
        """Give the sidecar of a package: a list of one bundle."""
        key = new_key()
        certificate = self._certificate(key, identity)
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": name, "digest": {"sha256": sha256}}],
            "predicateType": "https://schemas.conda.org/attestations-publish-1.schema.json",
            "predicate": {"targetChannel": channel},
        }
        payload, kind = json.dumps(statement).encode(), "application/vnd.in-toto+json"
        signature = sign(key, b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload))
        envelope = {"payload": b64(payload), "payloadType": kind, "signatures": [{"sig": b64(signature)}]}
        entry = self._entry(envelope, payload, signature, certificate)
        bundle = {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"certificate": {"rawBytes": b64(der(certificate))}, "tlogEntries": [entry]},
            "dsseEnvelope": envelope,
        }
        return json.dumps([bundle]).encode()

    def _certificate(self, key: ec.EllipticCurvePrivateKey, identity: str) -> x509.Certificate:
        """Issue a certificate of ten minutes, with the timestamp of the certificate log inside."""
        made = x509.CertificateBuilder(
            self.root().subject, x509.Name([]), key.public_key(), x509.random_serial_number()
        )
        made = made.not_valid_before(NOW - timedelta(minutes=5)).not_valid_after(NOW + timedelta(minutes=5))
        made = made.add_extension(_usage(sign_certificates=False), critical=True)
        made = made.add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key())
        made = made.add_extension(above, critical=False)
        named = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)])
        made = made.add_extension(named, critical=True)
        issuer = b"\x0c" + bytes([len(ISSUER)]) + ISSUER.encode()
        made = made.add_extension(x509.UnrecognizedExtension(FULCIO_ISSUER, issuer), critical=False)
        unlogged = made.sign(self.authority, hashes.SHA256()).tbs_certificate_bytes
        logged = x509.UnrecognizedExtension(SCT_LIST, self._timestamps(unlogged))
        return made.add_extension(logged, critical=False).sign(self.authority, hashes.SHA256())

    def _timestamps(self, certificate: bytes) -> bytes:
        """Give the extension that proves that the log has seen a certificate (RFC 6962, 3.2 and 3.3)."""
        when = struct.pack(">Q", int(NOW.timestamp() * 1000))
        issuer = hashlib.sha256(spki(self.authority)).digest()
        entry = b"\0\1" + issuer + len(certificate).to_bytes(3) + certificate
        signature = sign(self.certificates, b"\0\0" + when + entry + b"\0\0")
        log_id = hashlib.sha256(spki(self.certificates)).digest()
        one = b"\0" + log_id + when + b"\0\0" + b"\x04\x03" + struct.pack(">H", len(signature)) + signature
        several = struct.pack(">H", len(one) + 2) + struct.pack(">H", len(one)) + one
        return b"\x04" + (b"\x81" if len(several) > 127 else b"") + bytes([len(several)]) + several

    def _entry(
        self, envelope: dict[str, Any], payload: bytes, signature: bytes, certificate: x509.Certificate
    ) -> dict[str, Any]:
        """Log an envelope as the only entry of a tree."""
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(compact(envelope)).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
            "signatures": [{"signature": b64(signature), "verifier": b64(pem)}],
        }
        body = compact({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        log_id, when = hashlib.sha256(spki(self.log)).digest(), int(NOW.timestamp())
        promised = compact({"body": b64(body), "integratedTime": when, "logID": log_id.hex(), "logIndex": 0})
        leaf = hashlib.sha256(b"\0" + body).digest()
        note = f"{LOG} - 1\n1\n{b64(leaf)}\n"
        signed = b64(log_id[:4] + sign(self.log, note.encode()))
        proof = {"logIndex": "0", "rootHash": b64(leaf), "treeSize": "1", "hashes": []}
        return {
            "logIndex": "0",
            "logId": {"keyId": b64(log_id)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(when),
            "inclusionPromise": {"signedEntryTimestamp": b64(sign(self.log, promised))},
            "inclusionProof": {**proof, "checkpoint": {"envelope": f"{note}\n\u2014 {LOG} {signed}\n"}},
            "canonicalizedBody": b64(body),
        }


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _log(url: str, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    details = "PKIX_ECDSA_P256_SHA_256"
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": b64(spki(key)), "keyDetails": details, "validFor": {"start": START}},
        "logId": {"keyId": b64(hashlib.sha256(spki(key)).digest())},
    }


def attest_channel(
    source: Path, copy: Path, sigstore: Sigstore, target: str, signer: str, signs: Callable[[str], bool]
) -> None:
    """Copy a channel by links, with attestations (CEP 50) of the packages whose names ``signs`` is true for."""
    for subdir in ("noarch", "linux-64"):
        shutil.copytree(source / subdir, copy / subdir, copy_function=os.symlink)
        index = copy / subdir / "repodata.json"
        plain = json.loads(index.read_text())
        for filename, record in plain["packages.conda"].items():
            if signs(record["name"]):
                sidecar = sigstore.sidecar(filename, record["sha256"], target, signer)
                digest = hashlib.sha256(sidecar).hexdigest()
                (copy / subdir / f"{filename}.sigs.{digest}").write_bytes(sidecar)
                record["attestations_sha256"] = digest
        for old in (copy / subdir).glob("repodata*"):
            old.unlink()
        index.write_text(json.dumps(plain))
