"""Types of flytekit's cache policies. `Cache` accepts a version and no policies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, ParamSpec, Protocol, TypeVar, runtime_checkable

from flytemp.authoring.image import ImageSpec
from flytemp.authoring.pod import PodTemplate

P = ParamSpec("P")
FuncOut = TypeVar("FuncOut")


@dataclass
class VersionParameters(Generic[P, FuncOut]):
    """The parts of a task from which a policy computes a version.

    Attributes:
        func: function of the task.
        container_image: image of the task.
        pod_template: pod template of the task.
        pod_template_name: name of a pod template in the cluster.
    """

    func: Callable[P, FuncOut]
    container_image: str | ImageSpec | None = None
    pod_template: PodTemplate | None = None
    pod_template_name: str | None = None


@runtime_checkable
class CachePolicy(Protocol):
    """Computation of a cache version. A program may call a policy and pass the result as ``Cache(version=…)``."""

    def get_version(self, salt: str, params: VersionParameters[..., object]) -> str:
        """Return the version for the parts of a task."""
        ...
