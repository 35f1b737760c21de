"""Replacement of tasks and references in tests, under flytekit's names: `task_mock` and `patch`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias
from unittest.mock import MagicMock

from flytemp.authoring.errors import SettingsError
from flytemp.authoring.task import Task
from flytemp.authoring.workflow import Workflow
from flytemp.porting.finder import other_names

if TYPE_CHECKING:
    from flytemp.authoring.reference import ReferenceLaunchPlan

    Target: TypeAlias = Task[..., Any] | Workflow[..., Any] | ReferenceLaunchPlan[Any]


@contextmanager
def task_mock(target: Target) -> Iterator[MagicMock]:
    """Replace a task or a workflow by a mock inside the block, in plain calls and in workflows that are called.

    Inputs and outputs are still checked against the types of the target. The mock is called with keywords. References to
    tasks, workflows and launch plans can be called only in this way, because their code is in another project.

        with task_mock(price_of) as mock:
            mock.return_value = 2.0
            assert order_total(order=Order("pear", 4)) == 8.0

    Raises:
        SettingsError: (a ``ValueError``) the target is something else.
    """
    attribute = _replaced_attribute(target)
    mock = MagicMock(name=target.name)
    _ = target.python_interface  # cached from the real function
    original = getattr(target, attribute)
    setattr(target, attribute, _caller_of(mock, original))
    try:
        yield mock
    finally:
        setattr(target, attribute, original)


def _replaced_attribute(target: object) -> str:
    """Return the attribute that holds the code of the target. A workflow runs nodes, and its function only connects them."""
    if isinstance(target, Workflow) and not target.is_reference:
        return "replacement"
    if isinstance(target, Task) or getattr(target, "is_reference", False):
        return "function"
    hint = "mock its workflow" if hasattr(target, "workflow") else "mock a task, a workflow or a reference"
    raise SettingsError(f"only tasks, workflows and references can be mocked, not {target!r}", hint=hint)


def _caller_of(mock: MagicMock, original: Any) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return mock(*args, **kwargs)

    async def call_async(*args: Any, **kwargs: Any) -> Any:
        return mock(*args, **kwargs)

    is_async = callable(original) and inspect.iscoroutinefunction(inspect.unwrap(original))
    return call_async if is_async else call


def patch(target: Target) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a test that receives the mock of `task_mock` as its first argument; raises as `task_mock`."""
    _replaced_attribute(target)

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def patched(*args: Any, **kwargs: Any) -> Any:
            with task_mock(target) as mock:
                return test(mock, *args, **kwargs)

        del patched.__wrapped__  # a test runner must not take the mock's parameter for a fixture's name
        return patched

    return decorate


if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
