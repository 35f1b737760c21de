"""Folder of images in the OCI layout with shared layers, and export of the blobs that a container runtime lacks."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REFERENCE = "org.opencontainers.image.ref.name"


@dataclass(frozen=True)
class Layout:
    """OCI image layout: `index.json` names the images; `blobs/` contains manifests, configurations and layers."""

    folder: Path

    def references(self) -> list[str]:
        """Return the names of the images, oldest first."""
        return [entry["annotations"][_REFERENCE] for entry in self._manifests()]

    def write_archive(self, reference: str, name: str, target: Path, present: Set[str]) -> None:
        """Write an image as an archive that containerd imports as `name`, without the blobs that containerd has."""
        entry = next(entry for entry in self._manifests() if entry["annotations"][_REFERENCE] == reference)
        index = {"schemaVersion": 2, "manifests": [{**entry, "annotations": {"io.containerd.image.name": name}}]}
        with tarfile.open(target, "w") as archive:
            _add(archive, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
            _add(archive, "index.json", json.dumps(index).encode())
            # The manifest is always included, because an import without it fails.
            for digest in [entry["digest"], *(digest for digest in self._parts(entry["digest"]) if digest not in present)]:
                path = self._blob(digest)
                archive.add(path, str(path.relative_to(self.folder)))

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Remove the other images and their unshared blobs."""
        kept = [entry for entry in self._manifests() if wanted(entry["annotations"][_REFERENCE])]
        self._index().write_text(json.dumps({"schemaVersion": 2, "manifests": kept}))
        needed = {self._blob(digest) for entry in kept for digest in [entry["digest"], *self._parts(entry["digest"])]}
        for path in (self.folder / "blobs").glob("*/*"):
            if path not in needed:
                path.unlink()

    def _index(self) -> Path:
        return self.folder / "index.json"

    def _manifests(self) -> list[dict[str, Any]]:
        if not self._index().exists():
            return []
        manifests: list[dict[str, Any]] = json.loads(self._index().read_text())["manifests"]
        return manifests

    def _parts(self, manifest: str) -> list[str]:
        content = json.loads(self._blob(manifest).read_text())
        return [part["digest"] for part in (content["config"], *content["layers"])]

    def _blob(self, digest: str) -> Path:
        return self.folder / "blobs" / Path(*digest.split(":"))


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
