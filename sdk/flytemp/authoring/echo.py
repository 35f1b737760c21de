"""`Echo`: a task that returns its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from flytemp.authoring.instance_task import InstanceOptions, InstanceTask
from flytemp.authoring.overrides import TaskMetadata


class Echo(InstanceTask):
    """A task that returns its inputs, for instance as a case of a conditional that must do nothing.

        same = Echo(name="same", inputs={"x": int})

    Args:
        name: name of the registered task.
        inputs: names and types of the inputs. The outputs are ``o0``, ``o1`` and so on, in the same order.
        metadata: a `TaskMetadata`, for what is not given as an option.
        options: options of `task`, such as ``retries``.

    Raises:
        SettingsError: (a ``ValueError``) for an unknown or malformed option.
    """

    kind = "echo"

    def __init__(
        self,
        name: str,
        inputs: Mapping[str, Any] | None = None,
        metadata: TaskMetadata | Mapping[str, Any] | None = None,
        **options: Unpack[InstanceOptions],
    ) -> None:
        types = self._types(inputs, "inputs")
        super().__init__(name, types, {f"o{number}": type_ for number, type_ in enumerate(types.values())}, options, metadata)

    def execute(self, **inputs: Any) -> Any:
        """Return the inputs: nothing, one value, or a tuple."""
        values = tuple(inputs.values())
        return values if len(values) > 1 else values[0] if values else None
