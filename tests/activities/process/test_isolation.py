"""State that a task changes in its process: no later task of its module finds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flytemp.runtime.invocation import TaskResult
from flytemp.spec.models import TaskSettings
from flytemp.store import open_store
from flytemp_activities.process import ProcessBackend, ProcessOptions
from tests.sdk.runtime.project import Project

CHANGES = {
    # name: (statements of a task, expression that a later task evaluates)
    "environment": ("os.environ['LEFT'] = 'x'", "os.environ.get('LEFT')"),
    "working directory": ("os.chdir('/')", "os.getcwd() == '/'"),
    "module variable": ("seen.append(1)", "len(seen)"),
    "loaded modules": ("sys.modules['left'] = sys", "'left' in sys.modules"),
    "patched library": ("json.tool = 'left'", "getattr(json, 'tool', None)"),
    "patched builtin": ("builtins.sum = max", "builtins.sum is max"),
    "import path": ("sys.path.insert(0, '/left')", "'/left' in sys.path"),
    "arguments": ("sys.argv.append('left')", "'left' in sys.argv"),
    "umask": ("os.umask(0o077)", "current_umask()"),
    "socket time-out": ("socket.setdefaulttimeout(0.5)", "socket.getdefaulttimeout()"),
    "warning filters": ("warnings.simplefilter('error')", "str(warnings.filters[0])"),
    "decimal context": ("decimal.getcontext().prec = 3", "decimal.getcontext().prec"),
    "locale": ("locale.setlocale(locale.LC_ALL, 'C.UTF-8')", "locale.setlocale(locale.LC_ALL)"),
    "garbage collection": ("gc.disable(); gc.set_threshold(1, 2, 3)", "[gc.isenabled(), gc.get_threshold()[1]]"),
    "recursion limit": ("sys.setrecursionlimit(5000)", "sys.getrecursionlimit()"),
    "signal mask": ("signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])", "len(signal.pthread_sigmask(0, []))"),
    "signal handler": ("signal.signal(signal.SIGUSR1, signal.SIG_IGN)", "signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN"),
    "resource limit": ("resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))", "resource.getrlimit(resource.RLIMIT_NOFILE)[0]"),
    "timer": ("signal.setitimer(signal.ITIMER_PROF, 1000)", "signal.getitimer(signal.ITIMER_PROF)[0] > 0"),
    "excepthook": ("sys.excepthook = print", "sys.excepthook is print"),
    "logging": ("logging.getLogger().addHandler(logging.NullHandler()); logging.getLogger().setLevel(1)",
                "[len(logging.getLogger().handlers), logging.getLogger().level]"),
    "trace function": ("sys.settrace(lambda *_: None)", "sys.gettrace() is not None"),
    "profile function": ("threading.setprofile(print)", "threading.getprofile() is not None"),
    "daemon thread": ("threading.Thread(target=threading.Event().wait, daemon=True).start()", "threading.active_count()"),
    "event loop": ("asyncio.run(nothing())", "asyncio.get_event_loop_policy()._local._set_called"),
    "start method": ("multiprocessing.set_start_method('spawn')", "multiprocessing.get_start_method(allow_none=True)"),
    "descriptors": ("[os.open('/', os.O_RDONLY) for _ in range(50)]", "len(os.listdir('/proc/self/fd')) > 50"),
    "random seed": ("random.seed(1)", "random.random() == random.Random(1).random()"),
    "context variable": ("variable.set(1)", "variable.get(None)"),
    "priority": ("os.nice(1)", "os.nice(0)"),
    "output stream": ("sys.stdout = io.StringIO()", "type(sys.stdout).__name__"),
    "exit handlers": ("atexit.register(print)", "atexit._ncallbacks()"),
    "time zone": ("os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()", "time.timezone"),
}  # fmt: skip

PROGRAM = """
    import asyncio, atexit, builtins, contextvars, decimal, gc, io, json, locale, logging, multiprocessing, os, random, resource
    import signal, socket, sys, threading, time, warnings
    from flytemp import task

    seen = []
    variable = contextvars.ContextVar("variable")

    async def nothing():
        pass

    def current_umask():
        mask = os.umask(0)
        os.umask(mask)
        return mask

    @task
    def change(statements: str, expression: str) -> str:
        exec(statements, globals())
        return repr(eval(expression, globals()))

    @task
    def look(expression: str) -> str:
        return repr(eval(expression, globals()))

    @task
    def look_at_all(expressions: dict[str, str]) -> dict[str, str]:
        return {name: repr(eval(expression, globals())) for name, expression in expressions.items()}

    @task
    def print_for_ever() -> None:
        def run():
            while True:
                print("of another task")
        threading.Thread(target=run, daemon=True).start()

    @task
    def say(text: str) -> None:
        print(text)

    @task
    def fill_descriptors() -> int:
        try:
            while True:
                os.dup(0)
        except OSError:
            return 1
"""


class Seen(NamedTuple):
    before: object
    changed: object
    after: object


def output(result: TaskResult) -> object:
    assert result.outputs is not None, result.error
    return result.outputs["o0"]


@asynccontextmanager
async def started(folder: Path, **options: Any) -> AsyncIterator[tuple[Project, ProcessBackend]]:
    store = open_store(str(folder / "store"))
    project = Project(folder / "projects", store)
    project.write(PROGRAM)
    backend = ProcessBackend(
        store,
        ProcessOptions(state_dir=folder / "state", scratch_folder=folder / "scratch", warm=0, **{"slots": 1, **options}),
        "worker",
    )
    await backend.start()
    try:
        yield project, backend
    finally:
        await backend.close()


async def run(
    project: Project, backend: ProcessBackend, task: str, inputs: dict[str, Any], node: str, **settings: Any
) -> TaskResult:
    invocation = project.invocation(task, inputs, node=node, settings=TaskSettings(**settings))
    return await backend.run(invocation, resumed=False, report=lambda _: None)


async def observe(folder: Path) -> dict[str, Seen]:
    """Look at all states in one task; then run two tasks for each: one that changes it and looks, one that looks again."""
    found = {}
    async with started(folder) as (project, backend):
        expressions = {name: expression for name, (_, expression) in CHANGES.items()}
        before = output(await run(project, backend, "look_at_all", {"expressions": expressions}, "n"))
        assert isinstance(before, dict)
        for number, (name, (statements, expression)) in enumerate(CHANGES.items()):
            inputs = {"statements": statements, "expression": expression}
            changed = output(await run(project, backend, "change", inputs, f"n{number}"))
            after = output(await run(project, backend, "look", {"expression": expression}, f"m{number}"))
            found[name] = Seen(before[name], changed, after)
    return found


@pytest.fixture(scope="module")
def observations(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    return asyncio.run(observe(tmp_path_factory.mktemp("isolation")))


@pytest.mark.parametrize("name", CHANGES)
def test_change_of_a_task_reaches_no_other_task(observations: dict[str, Seen], name: str) -> None:
    seen = observations[name]
    assert seen.changed != seen.before, "the change has no effect that a task could see"
    assert seen.after == seen.before


async def test_thread_of_a_task_prints_into_no_other_log(tmp_path: Path) -> None:
    async with started(tmp_path) as (project, backend):
        await run(project, backend, "print_for_ever", {}, "n0")
        await run(project, backend, "say", {"text": "mine"}, "n1")
    assert project.store.read(project.layout.log_chunk("n1", "1", 1, 0)) == b"mine\n"


@pytest.mark.parametrize("reuse", ["imports", "process", "nothing"])
async def test_task_that_leaves_no_descriptors_succeeds_and_harms_no_other(tmp_path: Path, reuse: str) -> None:
    async with started(tmp_path) as (project, backend):
        for number in range(2):
            assert output(await run(project, backend, "fill_descriptors", {}, f"n{number}", reuse=reuse)) == 1
        await run(project, backend, "say", {"text": "mine"}, "n2", reuse=reuse)


async def test_state_is_shared_on_request(tmp_path: Path) -> None:
    async with started(tmp_path) as (project, backend):
        for number in range(2):
            inputs = {"statements": "seen.append(1)", "expression": "len(seen)"}
            result = await run(project, backend, "change", inputs, f"n{number}", reuse="process")
        assert output(result) == "2"
        assert output(await run(project, backend, "look", {"expression": "len(seen)"}, "n2")) == "0"


EXHAUSTING = {
    "descriptors": "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
    "file size": "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))",
}


@pytest.mark.parametrize("name", EXHAUSTING)
async def test_exhausted_process_is_an_error_of_its_task(tmp_path: Path, name: str) -> None:
    # Root may raise a limit again. So the program is run without that right.
    lose_rights = "import ctypes; ctypes.CDLL(None).prctl(24, 24)"
    async with started(tmp_path) as (project, backend):
        statements = f"{EXHAUSTING[name]}; {lose_rights}"
        result = await run(project, backend, "change", {"statements": statements, "expression": "1"}, "n0")
        assert output(await run(project, backend, "look", {"expression": "1"}, "n1")) == "1"
    assert result.error is not None
    assert (result.error.kind, result.error.code) == ("USER", "ResourcesExhausted")
