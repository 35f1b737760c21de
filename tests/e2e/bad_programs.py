"""Programs that are wrong, for `test_errors`. ``# here`` marks the line that the message must name."""

from __future__ import annotations

from dataclasses import dataclass

HEAD = """
from flytemp import LaunchPlan, task, workflow


@task
def number(a: int) -> int:
    return a


@task
def numbers(a: int) -> list[int]:
    return [a]


@task
def text(a: str) -> int:
    return len(a)


@task
def show(a: int):
    print(a)

"""


@dataclass(frozen=True)
class BadProgram:
    """Text of a module below `HEAD`, and the parts of the one expected message."""

    name: str
    body: str
    says: str
    hint: str = ""

    @property
    def source(self) -> str:
        return HEAD + self.body

    @property
    def line(self) -> int:
        """Return the number of the marked line, counted from 1."""
        return next(number for number, line in enumerate(self.source.splitlines(), 1) if line.endswith("# here"))


def _promise(name: str, use: str, says: str) -> BadProgram:
    body = f"@workflow\ndef wf(x: int) -> int:\n    p = number(a=x)\n    q = numbers(a=x)\n    {use}  # here\n    return p\n"
    return BadProgram(name, body, f"has no value before workflow '.*wf' runs: cannot {says}", "inside a task")


_WF = "@workflow\ndef wf(x: int) -> int:\n"
_PLANNED = _WF + "    return number(a=x)\n\n\n"
_LARGE = "LARGE = 'x' * 3_000_000\n\n\n"

BAD_PROGRAMS = [
    BadProgram("wrong_type", "@workflow\ndef wf(x: str) -> int:\n    return number(a=x)  # here\n", "cannot use str where int"),
    BadProgram("wrong_constant", _WF + "    return number(a='three')  # here\n", "'a'.*got 'three'", r"int\(value\)"),
    BadProgram("wrong_output", "@workflow\ndef wf(x: int) -> str:  # here\n    return number(a=x)\n", "cannot use int where str"),
    BadProgram("wrong_default", "@workflow\ndef wf(x: int = 'one') -> int:  # here\n    return x\n", "default of input 'x'"),
    BadProgram("unknown_input", _WF + "    return number(b=x)  # here\n", "unexpected keyword argument 'b'", "its inputs: a"),
    BadProgram("missing_input", _WF + "    return number()  # here\n", "called without 'a'", "a: int"),
    BadProgram("too_many", _WF + "    return number(x, x)  # here\n", "more arguments than expected"),
    BadProgram("no_annotation", "@task\ndef bare(a) -> int:  # here\n    return a\n", "'a' has no type", "a: int"),
    BadProgram("void", _WF + "    return number(a=show(a=x))  # here\n", "returns nothing", "def"),
    BadProgram("no_return", "@workflow\ndef wf(x: int) -> int:  # here\n    number(a=x)\n", "returns nothing", "return a value"),
    BadProgram(
        "cycle",
        "@workflow\ndef wf(x: int):\n    a = show(a=x)  # here\n    b = show(a=x)\n    a >> b\n    b >> a\n",
        "wait for each other: node n0 .* waits for node n1 .* waits for node n0",
        "remove one",
    ),
    BadProgram("recursion", "@workflow\ndef wf(x: int) -> int:  # here\n    return wf(x=x)\n", "calls itself", "inside a task"),
    BadProgram(
        "same_launch_plan",
        _PLANNED + "a = LaunchPlan.create('twice', wf)\nb = LaunchPlan.create('twice', wf, default_inputs={'x': 1})  # here\n",
        "Launch plan named twice was already created",
        r"same_launch_plan\.py:\d+",
    ),
    BadProgram(
        "same_node",
        _WF + "    a = number(a=x).with_overrides(node_name='n')\n    return number(a=a).with_overrides(node_name='n')  # here\n",
        "node id 'n' is used twice",
        "own node_name",
    ),
    BadProgram(
        "same_task",
        "first = number\n\n\n@task\ndef number(a: int) -> int:  # here\n    return a\n",
        "two entities are named",
        "rename",
    ),
    _promise("promise_if", "if p: pass", "use it as a condition"),
    _promise("promise_for", "for item in q: number(a=item)", "iterate over it"),
    _promise("promise_add", "number(a=p + 1)", "calculate with it"),
    _promise("promise_int", "int(p)", "use it as a number"),
    _promise("promise_len", "len(q)", "take its length"),
    _promise("promise_range", "range(x)", "use it as a number"),
    BadProgram(
        "promise_text",
        _WF + "    p = number(a=x)\n    text(a=f'{p}')  # here\n    return p\n",
        "the text contains a promise instead of its value",
        "inside a task",
    ),
    BadProgram(
        "promise_compare",
        _WF + "    p = number(a=x)\n    if p == 3:  # here\n        return x\n    return p\n",
        "has no value before the workflow runs",
        "conditional",
    ),
    BadProgram("promise_field", _WF + "    return number(a=number(a=x).size)  # here\n", "int has no 'size'", "parts"),
    BadProgram("syntax", "def broken(:  # here\n    pass\n", "SyntaxError", "correct this line"),
    BadProgram("no_module", "import no_such_package  # here\n", "No module named 'no_such_package'", "install it"),
    BadProgram(
        "no_name", "from flytemp import no_such_name  # here\n", "cannot import name 'no_such_name'", "correct the import"
    ),
    BadProgram("raises", "def at_import():\n    return {}['key']  # here\n\n\nat_import()\n", "KeyError: 'key'", "-v shows"),
    BadProgram("exits", "raise SystemExit(3)  # here\n", "SystemExit: 3", "must not end the process"),
    BadProgram("raises_in_workflow", _WF + "    raise ValueError('no')  # here\n", "ValueError: no", "-v shows"),
    BadProgram("name_of_plan", _PLANNED + "plan = LaunchPlan.create('../../plan', wf)  # here\n", "'../../plan' cannot be"),
    BadProgram(
        "large_default", _LARGE + "@workflow\ndef wf(x: str = LARGE) -> int:  # here\n    return text(a=x)\n", "2.9 MiB", "File"
    ),
    BadProgram("large_bound", _LARGE + "@workflow\ndef wf() -> int:\n    return text(a=LARGE)  # here\n", "2.9 MiB", "FlyteFile"),
    BadProgram(
        "large_fixed",
        _LARGE + "@workflow\ndef wf(x: str) -> int:\n    return text(a=x)\n\n\n"
        "plan = LaunchPlan.create('large', wf, fixed_inputs={'x': LARGE})  # here\n",
        "2.9 MiB",
        "FlyteFile",
    ),
    BadProgram(
        "plan_input", _PLANNED + "plan = LaunchPlan.create('p', wf, default_inputs={'y': 1})  # here\n", "invalid input y"
    ),
    BadProgram("plan_type", _PLANNED + "plan = LaunchPlan.create('p', wf, fixed_inputs={'x': 'a'})  # here\n", "got 'a'", "int"),
    BadProgram(
        "unsupported",
        "from flytemp import eager\n\n\n@eager\nasync def wf(x: int) -> int:  # here\n    return x\n",
        "not supported",
    ),
]

RUNNABLE = """
import os
from dataclasses import dataclass
from enum import Enum

from flytemp import LaunchPlan, NonRecoverableError, task, workflow
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile


class Color(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int
    name: str = "origin"


@task
def wrong_type(a: int) -> int:  # wrong_type
    return "text"


@task
def wrong_count(a: int) -> tuple[int, int]:  # wrong_count
    return a


@task
def nothing(a: int) -> int:  # nothing
    pass


@task
def late_import(a: int) -> int:
    import not_installed_anywhere  # late_import
    return a


@task
def raises(a: int) -> int:
    raise ValueError("a bad thing")  # raises


@task
def gives_up(a: int) -> int:
    raise NonRecoverableError("no use")  # gives_up


@task
def large(a: int) -> str:  # large
    return "x" * 3_000_000


@task
def no_file(a: int) -> FlyteFile:  # no_file
    return FlyteFile("/no/such/file.txt")


@task
def crashes(a: int) -> int:
    os._exit(7)


@task
def total(a: int, points: list[Point], color: Color = Color.RED) -> int:
    return a


@task
def size(file: FlyteFile) -> int:
    return os.path.getsize(file)


@task
def count(folder: FlyteDirectory) -> int:
    return len(os.listdir(folder))


@task
def length(text: str) -> int:
    return len(text)


@workflow
def errors_wf(x: int, y: int = 2) -> int:
    return total(a=x, points=[])


@workflow
def nested_raise_wf(a: int = 1) -> int:
    return raises(a=raises(a=a))


fixed = LaunchPlan.get_or_create(errors_wf, "errors_fixed", fixed_inputs={"y": 3})
"""
