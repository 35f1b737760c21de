"""Description of a container image, as in flytekit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from flytemp.authoring.errors import SettingsError
from flytemp.names import slug


@dataclass(frozen=True)
class ImageSpec:
    """Description of a task's image. It determines the name of the image; this version does not build images.

    A backend without containers runs the task in the worker's environment, and `flytemp register` prints a warning. The
    fields are those of flytekit, except those that only control a builder.

    Raises:
        SettingsError: a list of texts is a text, or ``tag_format`` lacks ``{spec_hash}``.
    """

    name: str = "flytemp"
    python_version: str | None = None
    builder: str | None = None
    registry: str | None = None
    base_image: str | None = None
    packages: Sequence[str] = ()
    requirements: str | None = None
    conda_packages: Sequence[str] = ()
    conda_channels: Sequence[str] = ()
    apt_packages: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[str] = ()
    copy: Sequence[str] = ()
    source_root: str | None = None
    platform: str = "linux/amd64"
    pip_index: str | None = None
    pip_extra_index_url: Sequence[str] = ()
    cuda: str | None = None
    cudnn: str | None = None
    entrypoint: Sequence[str] | None = None
    tag_format: str | None = None

    def __post_init__(self) -> None:
        for name in ("packages", "conda_packages", "apt_packages", "commands"):
            if isinstance(getattr(self, name), str):
                raise SettingsError(f"{name} of an ImageSpec must be a list of texts, not a text", hint=f"{name}=['…']")
        if self.tag_format is not None and "{spec_hash}" not in self.tag_format:
            raise SettingsError("tag_format of an ImageSpec must contain {spec_hash}", hint="tag_format='v1-{spec_hash}'")

    def image_name(self) -> str:
        """Return ``[registry/]name:tag``. The tag is a hash of the description, so that equal descriptions share an image."""
        content = json.dumps(asdict(replace(self, tag_format=None)), sort_keys=True, default=list)
        tag = hashlib.sha256(content.encode()).hexdigest()[:16]
        if self.tag_format is not None:
            tag = self.tag_format.replace("{spec_hash}", tag)
        name = "/".join(slug(part, 60) for part in self.name.split("/"))
        return f"{self.registry.rstrip('/')}/{name}:{tag}" if self.registry else f"{name}:{tag}"

    def is_container(self) -> bool:
        """Return True, as in flytekit inside the image: the code always runs in the only known environment."""
        return True

    def with_packages(self, packages: str | Sequence[str]) -> ImageSpec:
        """Return a copy with additional Python packages."""
        return replace(self, packages=(*self.packages, *_listed(packages)))

    def with_apt_packages(self, packages: str | Sequence[str]) -> ImageSpec:
        """Return a copy with additional Debian packages."""
        return replace(self, apt_packages=(*self.apt_packages, *_listed(packages)))

    def with_commands(self, commands: str | Sequence[str]) -> ImageSpec:
        """Return a copy with additional commands."""
        return replace(self, commands=(*self.commands, *_listed(commands)))


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return (value,) if isinstance(value, str) else value
