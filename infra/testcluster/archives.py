"""Container image from Debian's static busybox, for pods' sandboxes and as a shell for small tests."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from infra.testcluster import machine
from infra.testcluster.errors import Unavailable
from infra.testcluster.node import PAUSE_IMAGE

BUSYBOX_IMAGE = "localhost/testcluster/busybox:1"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_busybox_archive(target: Path) -> None:
    """Write the image under two names as a docker-archive. Its command is `sleep`; all applets are in /bin."""
    layer = _layer()
    configuration = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Cmd": ["/bin/sleep", "2147483647"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    image = json.dumps(configuration).encode()
    name = f"{hashlib.sha256(image).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [PAUSE_IMAGE, BUSYBOX_IMAGE], "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as archive:
        _add(archive, "layer.tar", layer)
        _add(archive, name, image)
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _layer() -> bytes:
    busybox = machine.program("busybox")
    if busybox is None:
        raise Unavailable("no busybox on this machine")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for name, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            layer.addfile(folder)
        _add(layer, "etc/passwd", b"root:x:0:0::/:/bin/sh\n")
        _add(layer, "bin/busybox", Path(busybox).read_bytes(), 0o755)
        for applet in machine.run(busybox, "--list").split():
            if applet != "busybox":
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                layer.addfile(link)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))
