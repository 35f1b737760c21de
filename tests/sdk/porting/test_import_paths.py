"""Modules and names of flytekit under the same paths in flytemp."""

from __future__ import annotations

import importlib
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import flytemp
from flytemp import Echo, FlyteFile, conditional, workflow
from flytemp.compiler import compile_entity
from flytemp.errors import FlytempError, NotSupported, TypeMismatch, UnsupportedType
from flytemp.porting.names import module_paths, names_of

HERE = __file__


def test_every_module_of_flytekit_can_be_imported_with_its_names() -> None:
    paths = module_paths()
    loaded = {path: importlib.import_module(path) for path in paths}
    missing = [f"{path}.{name}" for path in paths for name in names_of(path) if not hasattr(loaded[path], name)]
    assert len(paths) > 260
    assert missing == []


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("flytemp", "Blob Literal LiteralType Scalar VersionParameters CachePolicy BatchSize Echo"),
        ("flytemp", "logger directory file iterator"),
        ("flytemp.exceptions.base", "FlyteException FlyteRecoverableException"),
        ("flytemp.exceptions.user", "FlyteUserRuntimeException FlyteCompilationException FlyteAuthenticationException"),
        ("flytemp.exceptions.system", "FlyteSystemUnavailableException FlyteNonRecoverableSystemException FlyteAgentNotFound"),
        ("flytemp.exceptions.eager", "EagerException"),
        ("flytemp.loggers", "logger user_space_logger developer_logger set_flytekit_log_properties"),
        ("flytemp.types.file", "FlyteFile FileExt CSVFile csv"),
        ("flytemp.types.file.file", "FlyteFile"),
        ("flytemp.types.directory", "FlyteDirectory TFRecordsDirectory TensorboardLogs"),
        ("flytemp.types.directory.types", "FlyteDirectory"),
        ("flytemp.types.iterator", "JSON"),
        ("flytemp.types.structured.structured_dataset", "StructuredDataset"),
        ("flytemp.core.testing", "task_mock patch"),
        ("flytemp.core.task", "task Echo TaskMetadata TaskPlugins PythonFunctionTask eager"),
        ("flytemp.core.workflow", "ReferenceWorkflow PythonFunctionWorkflow"),
        ("flytemp.core.base_task", "IgnoreOutputs kwtypes"),
        ("flytemp.core.node", "Node"),
        ("flytemp.core.condition", "BranchNode"),
        ("flytemp.core.type_engine", "TypeTransformerFailedError RestrictedTypeError"),
        ("flytemp.deck", "Deck DeckField"),
        ("flytemp.testing", "SecretsManager patch"),
        ("flytemp.extend", "TypeTransformer TypeEngine TaskPlugins PythonTask SecretsManager Promise context_manager"),
        ("flytemp.extend.backend.base_agent", "AsyncAgentBase"),
        ("flytemp.remote", "FlyteRemote"),
        ("flytemp.configuration", "Config ImageConfig"),
        ("flytemp.image_spec.image_spec", "ImageSpec"),
        ("flytemp.sensor.file_sensor", "FileSensor"),
        ("flytemp.extras.sqlite3.task", "SQLite3Task"),
        ("flytemp.models.literals", "Literal"),
        ("flytemp.tools.translator", "get_serializable"),
    ],
)
def test_names_of_ported_programs(module: str, names: str) -> None:
    loaded = importlib.import_module(module)
    assert [name for name in names.split() if not hasattr(loaded, name)] == []


@pytest.mark.parametrize(
    ("path", "name", "ours"),
    [
        ("flytemp.core.task", "TaskMetadata", flytemp.TaskMetadata),
        ("flytemp.types.file.file", "FlyteFile", flytemp.FlyteFile),
        ("flytemp.types.directory.types", "FlyteDirectory", flytemp.FlyteDirectory),
        ("flytemp.image_spec.image_spec", "ImageSpec", flytemp.ImageSpec),
        ("flytemp.deck", "DeckField", flytemp.DeckField),
        ("flytemp.testing", "SecretsManager", flytemp.SecretsManager),
        ("flytemp.remote.remote", "FlyteRemote", flytemp.FlyteRemote),
        ("flytemp.core.type_engine", "TypeTransformerFailedError", TypeMismatch),
        ("flytemp.core.promise", "FlytePromiseAttributeResolveException", None),
    ],
)
def test_name_is_flytemps_object(path: str, name: str, ours: object) -> None:
    found = getattr(importlib.import_module(path), name)
    assert found is ours or (ours is None and issubclass(found, FlytempError))


def test_submodules_are_attributes() -> None:
    names = "flytemp.core.task.TaskMetadata, flytemp.remote.remote.FlyteRemote, flytemp.file.FileExt('gz')"
    script = f"import flytemp; print({names})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "gz"


@pytest.mark.parametrize(
    "statement", ["import flytemp.nothing", "from flytemp.core.task import nothing", "from flytemp import nothing"]
)
def test_unknown_paths_are_refused(statement: str) -> None:
    with pytest.raises(ImportError, match="nothing"):
        exec(statement)


def test_names_without_a_counterpart_can_be_mentioned() -> None:
    from flytemp.models.literals import Literal
    from flytemp.types.schema import FlyteSchema

    assert (Literal | None) is not None
    assert list[Literal] is not None
    assert FlyteSchema[flytemp.kwtypes(x=int)] is FlyteSchema
    assert not isinstance(3, Literal)
    assert not hasattr(Literal, "scalar")


def call() -> None:
    flytemp.remote.executions.FlyteWorkflowExecution(id=1)


def read_attribute() -> None:
    _ = flytemp.configuration.Config.auto


def decorate() -> None:
    @flytemp.interactive.vscode
    def function() -> None: ...


def subclass() -> None:
    class Agent(flytemp.extend.backend.base_agent.AsyncAgentBase): ...


def iterate() -> None:
    list(flytemp.core.context_manager.BranchEvalMode)


@pytest.mark.parametrize("use", [call, read_attribute, decorate, subclass, iterate])
def test_use_of_a_name_without_a_counterpart_names_the_place_and_an_alternative(use: Callable[[], None]) -> None:
    with pytest.raises(NotSupported) as caught:
        use()
    location = caught.value.location
    assert location is not None
    assert (location.file, location.line) in {(HERE, use.__code__.co_firstlineno + 1), (HERE, use.__code__.co_firstlineno + 2)}
    assert caught.value.hint


def test_annotation_without_a_counterpart_is_refused_with_an_alternative() -> None:
    @flytemp.task
    def read(table: flytemp.types.schema.FlyteSchema) -> int:
        return 1

    with pytest.raises(FlytempError) as caught:
        _ = read.python_interface
    assert "FlyteSchema" in str(caught.value)
    assert "FlyteFile" in str(caught.value.hint)


def test_exceptions_that_flytemp_does_not_raise_can_be_raised_and_caught() -> None:
    error = flytemp.tools.repo.NoSerializableEntitiesError
    with pytest.raises(error, match="nothing here"):
        raise error("nothing here")


@pytest.mark.parametrize("builtin", [TypeError, ValueError, AssertionError])
def test_errors_of_conversions_and_definitions_are_caught_as_in_flytekit(builtin: type[Exception]) -> None:
    with pytest.raises(builtin):
        len_of(text=3)  # type: ignore[arg-type]
    with pytest.raises(builtin):
        flytemp.core.type_engine.TypeEngine.to_literal_type(set)
    with pytest.raises(builtin):
        wrong_graph(text="x")


def test_restricted_types_have_flytekits_name() -> None:
    with pytest.raises(flytemp.core.type_engine.RestrictedTypeError) as caught:
        flytemp.core.type_engine.TypeEngine.to_literal_type(set)
    assert isinstance(caught.value, UnsupportedType)


def test_user_runtime_exception_has_the_text_and_the_value() -> None:
    cause = KeyError("x")
    error = flytemp.exceptions.user.FlyteUserRuntimeException(cause, timestamp=1.5)
    assert (str(error), error.value, error.timestamp) == ("'x'", cause, 1.5)


@flytemp.task
def len_of(text: str) -> int:
    return len(text)


@workflow
def wrong_graph(text: str) -> int:
    return len_of(text=len_of(text=text))  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------- names that work


same = Echo(name="same", inputs={"x": int})
both = Echo(name="both", inputs={"x": int, "text": str}, retries=1)
nothing = Echo(name="nothing")


@workflow
def at_least_ten(x: int) -> int:
    return conditional("large").if_(x > 10).then(same(x=x)).else_().then(same(x=10))


def test_echo_returns_its_inputs() -> None:
    assert same(x=3) == 3
    assert tuple(both(x=3, text="a")) == (3, "a")
    assert nothing() is None
    assert (at_least_ten(x=11), at_least_ten(x=2)) == (11, 10)
    assert [variable.name for variable in both.interface.outputs] == ["o0", "o1"]
    assert {task.kind for task in compile_entity(at_least_ten).tasks.values()} == {"echo"}


def test_command_returns_its_output() -> None:
    from flytemp.extras.tasks.shell import subproc_execute

    done = subproc_execute([sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr)"])
    assert (done.returncode, done.output, done.error) == (0, "out\n", "err\n")
    with pytest.raises(RuntimeError, match="return code 3"):
        subproc_execute("echo wrong >&2; exit 3", shell=True)
    with pytest.raises(RuntimeError, match="no-such-program"):
        subproc_execute(["no-such-program"])


def test_log_properties_are_set() -> None:
    from flytemp import loggers

    before = (list(loggers.logger.handlers), loggers.logger.level)
    handler = logging.NullHandler()
    try:
        loggers.set_flytekit_log_properties(handler, None, logging.DEBUG)
        assert (loggers.logger.handlers, loggers.logger.level) == ([handler], logging.DEBUG)
        assert flytemp.current_context().logging is loggers.user_space_logger
    finally:
        loggers.logger.handlers[:], loggers.logger.level = before


def test_format_with_a_period() -> None:
    from typing import Annotated

    from flytemp.types.file import FileExt, csv

    assert FlyteFile[Annotated[str, FileExt("tar.gz")]].extension() == "tar.gz"
    assert FlyteFile[csv] is FlyteFile["csv"]


def test_error_can_be_sent_to_another_process() -> None:
    import pickle

    made: list[Any] = [
        flytemp.errors.ExecutionFailed("failed", execution="e"),
        flytemp.errors.ProgramError([flytemp.errors.Problem("wrong")]),
        flytemp.exceptions.user.FlyteTypeException(int, str),
        flytemp.exceptions.user.FlyteUserRuntimeException(ValueError("x")),
    ]
    for error in made:
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.args) == (type(error), str(error), error.args)
