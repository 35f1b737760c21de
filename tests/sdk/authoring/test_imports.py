"""Import paths of flytekit, and modules that an import must not load."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import flytemp


@pytest.mark.parametrize("name", sorted(set(flytemp.__all__)))
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(flytemp, name) is not None
    assert name in dir(flytemp)


def test_a_star_import_has_all_names_except_the_client() -> None:
    client = {"Client", "ExecutionHandle", "LaunchOptions", "SyncClient", "SyncExecutionHandle"}
    assert set(flytemp.__all__) == set(flytemp._HOME) - client | {"__version__"}
    for name in client:
        assert getattr(flytemp, name).__name__ == name


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="'nonsense'"):
        _ = flytemp.nonsense


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("flytemp.core.node_creation", "create_node"),
        ("flytemp.core.launch_plan", "LaunchPlan reference_launch_plan"),
        ("flytemp.core.workflow", "workflow WorkflowFailurePolicy ImperativeWorkflow PythonFunctionWorkflow reference_workflow"),
        ("flytemp.core.task", "task reference_task"),
        ("flytemp.core.base_task", "PythonTask TaskMetadata"),
        ("flytemp.core.python_function_task", "PythonFunctionTask"),
        ("flytemp.core.resources", "Resources"),
        ("flytemp.core.context_manager", "FlyteContextManager FlyteContext ExecutionParameters"),
        ("flytemp.core.pod_template", "PodTemplate"),
        ("flytemp.core.options", "Options"),
        ("flytemp.core.cache", "Cache"),
        ("flytemp.core.condition", "conditional"),
        ("flytemp.core.gate", "approve sleep wait_for_input"),
        ("flytemp.core.dynamic_workflow_task", "dynamic"),
        ("flytemp.core.array_node_map_task", "map_task"),
        ("flytemp.core.map_task", "map_task"),
        ("flytemp.core.schedule", "CronSchedule FixedRate"),
        ("flytemp.core.notification", "Email PagerDuty Slack"),
        ("flytemp.core.promise", "Promise VoidPromise ComparisonExpression ConjunctionExpression"),
        ("flytemp.types.error", "FlyteError"),
        ("flytemp.types.error.error", "FlyteError"),
        ("flytemp.extras.accelerators", "A100 T4 V100 L4 GPUAccelerator"),
        ("flytemp.extras.tasks.shell", "ShellTask OutputLocation"),
        ("flytemp.models.common", "Labels Annotations RawOutputDataConfig"),
        ("flytemp.models.security", "Identity Secret SecurityContext"),
        ("flytemp.testing", "task_mock patch"),
        ("flytemp.types.file", "FlyteFile"),
        ("flytemp.types.directory", "FlyteDirectory"),
        (
            "flytemp.exceptions.user",
            "FlyteUserException FlyteRecoverableException NonRecoverableError FlyteAssertion FlyteTypeException "
            "FlyteValueException FlyteTimeout FlyteValidationException FlyteMissingReturnValueException",
        ),
        ("flytemp.exceptions.system", "FlyteSystemException FlyteEntrypointNotLoadable FlyteSystemAssertion"),
    ],
)
def test_flytekits_import_paths(module: str, names: str) -> None:
    loaded = importlib.import_module(module)
    assert [name for name in names.split() if not hasattr(loaded, name)] == []


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import flytemp, flytemp.errors, flytemp.names, flytemp.exceptions.user", "pydantic fsspec temporalio rich kubernetes"),
        ("from flytemp import *", "temporalio rich kubernetes"),
    ],
)
def test_importing_is_light(statement: str, unwanted: str) -> None:
    script = f"{statement}\nimport sys\nprint([name for name in {unwanted.split()!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_exceptions_take_flytekits_arguments() -> None:
    from flytemp.exceptions import user

    assert str(user.FlyteRecoverableException("try", "again", 3)) == "try again 3"
    assert user.FlyteRecoverableException("try", 3).args == ("try", 3)
    assert str(user.FlyteValueException(5, "too small")) == "received 5: too small"
    assert str(user.FlyteTypeException(int, str, "really", 3)) == "expected str, received int (3). really"
    assert isinstance(user.FlyteTypeException(int, str), TypeError)
    assert isinstance(user.FlyteTimeout("late"), AssertionError)
    function = test_unknown_names_are_refused
    assert str(user.FlyteMissingReturnValueException(function)).startswith(f"{function.__name__} declares")
