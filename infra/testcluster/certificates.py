"""Keys and certificates of a cluster, created by openssl."""

from __future__ import annotations

from pathlib import Path

from infra.testcluster import machine
from infra.testcluster.settings import Settings

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650")


def write_certificates(settings: Settings) -> None:
    """Create a CA, one certificate for API server and kubelet (as servers and clients), and a key for tokens."""
    folder = settings.ca_file.parent
    folder.mkdir(mode=0o700)
    _write_ca(folder)
    _write_server_certificate(folder, settings)
    # The traditional format is the only one that Kubernetes reads as a public key.
    machine.run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(folder / "tokens.key"))


def _write_ca(folder: Path) -> None:
    # Python 3.13 and newer require the key usage in a CA.
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    out = ("-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.crt"))
    machine.run("openssl", "req", "-x509", *_NEW_KEY, "-subj", "/CN=testcluster", *usage, *out)


def _write_server_certificate(folder: Path, settings: Settings) -> None:
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", settings.node_name]
    addresses = ["127.0.0.1", settings.bridge_ip, settings.service_ip]
    alternatives = ",".join([*(f"DNS:{name}" for name in names), *(f"IP:{address}" for address in addresses)])
    extensions = (
        f"subjectAltName={alternatives}",
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature",
        "extendedKeyUsage=serverAuth,clientAuth",
    )
    said = [part for extension in extensions for part in ("-addext", extension)]
    signer = ("-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key"))
    out = ("-keyout", str(folder / "server.key"), "-out", str(folder / "server.crt"))
    machine.run("openssl", "req", "-x509", *_NEW_KEY, "-subj", "/CN=kube-apiserver", *said, *signer, *out)
