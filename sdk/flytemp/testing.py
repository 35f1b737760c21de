"""Replacement of tasks and references in tests, under flytekit's names: `task_mock` and `patch`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

from flytemp.authoring.task import Task

if TYPE_CHECKING:
    from flytemp.authoring.reference import ReferenceLaunchPlan, ReferenceWorkflow


@contextmanager
def task_mock(task: Task[..., Any] | ReferenceWorkflow[..., Any] | ReferenceLaunchPlan[Any]) -> Iterator[MagicMock]:
    """Replace a task by a mock inside the block, in plain calls and in workflows that are called.

    Inputs and outputs are still checked against the task's types. The mock is called with keywords. References to tasks,
    workflows and launch plans can be called only in this way, because their code is in another project.

        with task_mock(price_of) as mock:
            mock.return_value = 2.0
            assert order_total(order=Order("pear", 4)) == 8.0
    """
    mock = MagicMock(name=task.name)
    _ = task.python_interface  # cached from the real function
    original = task.function

    def instead(*args: Any, **kwargs: Any) -> Any:
        return mock(*args, **kwargs)

    task.function = instead
    try:
        yield mock
    finally:
        task.function = original


def patch(
    task: Task[..., Any] | ReferenceWorkflow[..., Any] | ReferenceLaunchPlan[Any],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a test that receives the mock of `task_mock` as its first argument."""

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def patched(*args: Any, **kwargs: Any) -> Any:
            with task_mock(task) as mock:
                return test(mock, *args, **kwargs)

        del patched.__wrapped__  # a test runner must not take the mock's parameter for a fixture's name
        return patched

    return decorate
