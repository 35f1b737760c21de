"""Accelerators for ``@task(accelerator=…)``: ``A100``, ``A100.partition_1g_5gb``, ``GPUAccelerator("my-device")``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from flytemp.porting.finder import other_names

_Self = TypeVar("_Self", bound="BaseAccelerator")


@dataclass(frozen=True)
class BaseAccelerator:
    """A device, by the label of the Kubernetes nodes that have it."""

    device: str
    partition_size: str | None = None
    is_unpartitioned: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.device, str) or not self.device:
            raise ValueError("the name of the accelerator's device is empty or not a str")


class GPUAccelerator(BaseAccelerator):
    """A GPU: ``GPUAccelerator("nvidia-tesla-k80")``."""


class CustomAccelerator(BaseAccelerator):
    """A device of another kind."""


@dataclass(frozen=True)
class MultiInstanceGPUAccelerator(BaseAccelerator):
    """A GPU that can be partitioned. ``partitions`` has the sizes of its partitions."""

    partitions: tuple[str, ...] = ()

    @property
    def unpartitioned(self: _Self) -> _Self:
        """The whole device, also on nodes with partitions."""
        return replace(self, is_unpartitioned=True, partition_size=None)

    @classmethod
    def partitioned(cls, device: str, partition_size: str) -> MultiInstanceGPUAccelerator:
        """Return a partition of a device without a constant in this module."""
        return cls(device, partition_size)

    def __getattr__(self, name: str) -> Any:
        size = name.removeprefix("partition_").replace("_", ".")
        if name.startswith("partition_") and size in self.partitions:
            return replace(self, partition_size=size, is_unpartitioned=False)
        known = ", ".join(f"partition_{size.replace('.', '_')}" for size in self.partitions) or "none"
        raise AttributeError(f"{self.device} has no {name}; its partitions: {known}")


A10 = GPUAccelerator("nvidia-a10")
A10G = GPUAccelerator("nvidia-a10g")
B200 = GPUAccelerator("nvidia-b200")
H100 = GPUAccelerator("nvidia-h100")
K80 = GPUAccelerator("nvidia-tesla-k80")
L4 = GPUAccelerator("nvidia-l4")
L40S = GPUAccelerator("nvidia-l40s")
M60 = GPUAccelerator("nvidia-tesla-m60")
P4 = GPUAccelerator("nvidia-tesla-p4")
P100 = GPUAccelerator("nvidia-tesla-p100")
T4 = GPUAccelerator("nvidia-tesla-t4")
V100 = GPUAccelerator("nvidia-tesla-v100")
V5E = GPUAccelerator("tpu-v5-lite-podslice")
V5P = GPUAccelerator("tpu-v5p-slice")
V6E = GPUAccelerator("tpu-v6e-slice")
A100 = MultiInstanceGPUAccelerator("nvidia-tesla-a100", partitions=("1g.5gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb"))
A100_80GB = MultiInstanceGPUAccelerator("nvidia-a100-80gb", partitions=("1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"))

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
