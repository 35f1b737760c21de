"""Programs that must not compile: each problem with the user's file and line, all of them at once."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

import pytest

from flytemp.compiler import compile_closure, compile_program, find_entity, load_program
from flytemp.errors import NotSupported, ProgramError

HEADER = """\
from dataclasses import dataclass
from flytemp import *
from flytemp.core.node_creation import create_node

@task
def number(x: int = 1) -> int:
    return x

@task
def text(s: str) -> str:
    return s

@task
def nothing():
    pass

@task
def pair() -> tuple[int, str]:
    return 1, "a"
"""

# Each program marks its bad lines with "# BAD"; the messages are those of these lines, in their order.
CASES: dict[str, tuple[str, list[str]]] = {
    "wrong type of a constant": (
        """
        @workflow
        def wf() -> int:
            return number(x="abc")  # BAD
        """,
        [r"Variable 'x' of node n0 \(task bad\.number\): .*'abc'"],
    ),
    "wrong type of a promise": (
        """
        @workflow
        def wf() -> str:
            return text(s=number())  # BAD
        """,
        [r"Variable 's' of node n1 \(task bad\.text\): cannot use int where str is expected"],
    ),
    "wrong type of an item": (
        """
        @task
        def total(values: list[int], names: dict[str, str]) -> int:
            return sum(values)

        @workflow
        def wf(s: str) -> int:
            return total(values=[number(), s], names={})  # BAD
        """,
        [r"Variable 'values' of node n1 \(task bad\.total\): cannot use str where int is expected"],
    ),
    "wrong type of an output": (
        """
        @workflow
        def wf(x: int) -> str:  # BAD
            return number(x=x)
        """,
        [r"Output 'o0' of workflow 'bad\.wf': cannot use int where str is expected"],
    ),
    "unknown input": (
        """
        @workflow
        def wf() -> int:
            return number(y=1)  # BAD
        """,
        [r"Received unexpected keyword argument 'y' in task 'bad\.number'"],
    ),
    "too many arguments": (
        """
        @workflow
        def wf() -> int:
            return number(1, 2)  # BAD
        """,
        [r"Received more arguments than expected in task 'bad\.number'"],
    ),
    "an argument twice": (
        """
        @workflow
        def wf() -> int:
            return number(1, x=2)  # BAD
        """,
        [r"Received argument 'x' twice in task 'bad\.number'"],
    ),
    "missing input": (
        """
        @workflow
        def wf() -> str:
            return text()  # BAD
        """,
        [r"task 'bad\.text' is called without 's'"],
    ),
    "everything at once": (
        """
        @workflow
        def one() -> str:
            first = text(s=1)  # BAD
            return text(s=2)  # BAD

        @workflow
        def two() -> int:
            return number(z=1)  # BAD

        @task
        def untyped(x) -> int:  # BAD
            return x
        """,
        [
            r"Variable 's' of node n0",
            r"Variable 's' of node n1",
            r"unexpected keyword argument 'z'",
            r"'x' has no type\. Please add a type annotation to the input parameter\.",
        ],
    ),
    "duplicate node ids": (
        """
        @workflow
        def wf() -> int:
            number(x=1).with_overrides(node_name="same")
            return number(x=2).with_overrides(node_name="Same")  # BAD
        """,
        [r"the node id 'same' is used twice: by task bad\.number here and by task bad\.number at .*bad\.py:\d+"],
    ),
    "a cycle": (
        """
        @workflow
        def wf():
            a = nothing()  # BAD
            b = nothing()
            a >> b
            b >> a
        """,
        [r"the nodes wait for each other: node n0 \(task bad\.nothing\) waits for node n1 \(.*\) waits for node n0"],
    ),
    "a workflow that calls itself": (
        """
        @workflow
        def wf() -> int:  # BAD
            return other()

        @workflow
        def other() -> int:
            return wf()
        """,
        [r"workflow 'bad\.wf' calls itself"],
    ),
    "two tasks of one name": (
        """
        @task
        def twice() -> int:
            return 1

        @task
        def twice() -> int:  # BAD
            return 2
        """,
        [r"two entities are named 'bad\.twice': this task and the task at .*bad\.py:\d+"],
    ),
    "two launch plans of one name": (
        """
        @workflow
        def wf(x: int = 1) -> int:
            return number(x=x)

        LaunchPlan.create("plan", wf)
        LaunchPlan.create("plan", wf, default_inputs={"x": 2})  # BAD
        """,
        [r"Launch plan named plan was already created! Make sure your names are unique\."],
    ),
    "one launch plan with two values": (
        """
        @workflow
        def wf(x: int = 1) -> int:
            return number(x=x)

        LaunchPlan.get_or_create(wf, "plan", default_inputs={"x": 1})
        LaunchPlan.get_or_create(wf, "plan", default_inputs={"x": 2})  # BAD
        """,
        [r"two launch plans for workflow 'bad\.wf' both named 'plan' but with different values for 'default_inputs'"],
    ),
    "a launch plan of a workflow's name": (
        """
        @workflow
        def wf(x: int = 1) -> int:
            return number(x=x)

        LaunchPlan.create("bad.wf", wf, default_inputs={"x": 2})  # BAD
        """,
        [r"two launch plans are named 'bad\.wf'"],
    ),
    "inputs of a launch plan": (
        """
        @workflow
        def wf(x: int = 1, y: int = 2) -> int:
            return number(x=x)

        LaunchPlan.create("unknown", wf, default_inputs={"z": 2})  # BAD
        LaunchPlan.create("both", wf, default_inputs={"x": 2}, fixed_inputs={"x": 3})  # BAD
        LaunchPlan.create("wrong", wf, fixed_inputs={"y": "two"})  # BAD
        LaunchPlan.create("../../etc", wf)  # BAD
        """,
        [
            r"launch plan 'unknown': invalid input z",
            r"launch plan 'both': input x is both a default and a fixed input",
            r"launch plan 'wrong': .*argument 'y'.*'two'",
            r"'\.\./\.\./etc' cannot be an entity's name",
        ],
    ),
    "a condition": (
        """
        @workflow
        def wf(x: int) -> int:
            value = number(x=x)
            if value > 3:  # BAD
                return value
            return number(x=1)
        """,
        [r"the output 'o0' of node n0 \(task bad\.number\) has no value .*: to compare it is not possible"],
    ),
    "a truth value": (
        """
        @workflow
        def wf(x: int) -> int:
            return number(x=x) or 3  # BAD
        """,
        [r"the output 'o0' of node n0 .*: to use it as a condition is not possible"],
    ),
    "a loop": (
        """
        @workflow
        def wf(xs: list[int]) -> int:
            for x in xs:  # BAD
                number(x=x)
            return number()
        """,
        [r"the input 'xs' of workflow 'bad\.wf' has no value .*: to iterate over it is not possible"],
    ),
    "arithmetic": (
        """
        @workflow
        def wf(x: int) -> int:
            return 1 + number(x=x)  # BAD
        """,
        [r"to calculate with it is not possible"],
    ),
    "an f-string": (
        """
        @workflow
        def wf(x: int) -> str:
            return text(s=f"number {number(x=x)}")  # BAD
        """,
        [r"the output 'o0' of node n0 .*: to turn it into text is not possible"],
    ),
    "int()": (
        """
        @workflow
        def wf(x: int) -> int:
            return number(x=int(x))  # BAD
        """,
        [r"the input 'x' of workflow 'bad\.wf' .*: to use it as a number is not possible"],
    ),
    "len()": (
        """
        @workflow
        def wf(xs: list[int]) -> int:
            return number(x=len(xs))  # BAD
        """,
        [r"to take its length is not possible"],
    ),
    "in": (
        """
        @workflow
        def wf(xs: list[int]) -> int:
            return number(x=1 if 3 in xs else 2)  # BAD
        """,
        [r"to look for something in it is not possible"],
    ),
    "a result that is not there": (
        """
        @workflow
        def wf() -> int:
            return number(x=nothing())  # BAD
        """,
        [r"Variable 'x' of node n1 \(task bad\.number\): node n0 \(task bad\.nothing\) returns nothing"],
    ),
    "an output that is not there": (
        """
        @workflow
        def wf() -> int:
            return pair().o2  # BAD
        """,
        [r"node n0 \(task bad\.pair\) has no output 'o2'; its outputs: o0, o1"],
    ),
    "a field that is not there": (
        """
        @dataclass
        class Point:
            x: int

        @task
        def point() -> Point:
            return Point(1)

        @workflow
        def wf() -> int:
            return number(x=point().y)  # BAD
        """,
        [r"the output 'o0' of node n0 \(task bad\.point\) is Point: .*y"],
    ),
    "a promise inside an object": (
        """
        @dataclass
        class Point:
            x: int

        @task
        def show(point: Point) -> int:
            return point.x

        @workflow
        def wf() -> int:
            return show(point=Point(x=number()))  # BAD
        """,
        [r"Variable 'point' of node n1 .*: Point holds a value that does not exist yet"],
    ),
    "a promise of another workflow": (
        """
        kept = []

        @workflow
        def a_first() -> int:
            kept.append(number())
            return kept[0]

        @workflow
        def b_second() -> int:
            return number(x=kept[0])  # BAD
        """,
        [r"the output 'o0' of node n0 \(task bad\.number\) belongs to another workflow"],
    ),
    "an exception in a workflow": (
        """
        def compute():
            return 1 / 0  # BAD

        @workflow
        def wf() -> int:
            compute()
            return number()
        """,
        [r"putting workflow 'bad\.wf' together failed: ZeroDivisionError: division by zero"],
    ),
    "returns nothing": (
        """
        @workflow
        def wf() -> int:  # BAD
            number()
        """,
        [r"workflow 'bad\.wf' declares outputs and returns nothing"],
    ),
    "returns something": (
        """
        @workflow
        def wf():  # BAD
            return number()
        """,
        [r"workflow 'bad\.wf' returns something, and declares no outputs"],
    ),
    "returns too little": (
        """
        @workflow
        def wf() -> tuple[int, int]:  # BAD
            return number()
        """,
        [r"workflow 'bad\.wf' returned Promise, and declares 2 outputs: o0, o1"],
    ),
    "an async workflow": (
        """
        @workflow
        async def wf() -> int:  # BAD
            return number()
        """,
        [r"workflow 'bad\.wf' is async"],
    ),
    "a tuple of one": (
        """
        @task
        def one() -> tuple[int]:  # BAD
            return (1,)
        """,
        [r"task 'bad\.one': a tuple of one item is no set of outputs"],
    ),
    "variable arguments": (
        """
        @task
        def many(*values: int) -> int:  # BAD
            return 1
        """,
        [r"task 'bad\.many': '\*values: int' cannot be an input"],
    ),
    "an annotation that does not exist": (
        """
        @task
        def lost(x: "Nowhere") -> int:  # BAD
            return 1
        """,
        [r"task 'bad\.lost': its annotations cannot be read: NameError: name 'Nowhere' is not defined"],
    ),
    "an unsupported annotation": (
        """
        @task
        def strange(x: complex) -> int:  # BAD
            return 1
        """,
        [r"task 'bad\.strange': input 'x': .*complex"],
    ),
    "a default that does not fit": (
        """
        @task
        def wrong(x: int = "one") -> int:  # BAD
            return 1
        """,
        [r"task 'bad\.wrong': the default of input 'x' does not fit: .*'one'"],
    ),
    "a task that no process can find": (
        """
        def impl() -> int:  # BAD
            return 1

        tasks = {"impl": task(impl)}

        @workflow
        def wf() -> int:
            return tasks["impl"]()
        """,
        [r"task 'bad\.impl' is not a variable of its module"],
    ),
    "a nested task": (
        """
        def make():
            @task
            def inner() -> int:  # BAD
                return 1
            return inner

        inner = make()
        """,
        [r"the task function inner is defined inside another function"],
    ),
    "an unknown argument of task": (
        """
        @task(foo=1)  # BAD
        def t() -> int:
            return 1
        """,
        [r"Unrecognized argument\(s\) for task: dict_keys\(\['foo'\]\)"],
    ),
    "resources": (
        """
        @task(requests=Resources(cpu="2", mem="1Gi"), limits=Resources(cpu="500m", mem="1.5G"))
        def t() -> int:  # BAD
            return 1

        @task(resources=Resources(gpu=(1, 2)))
        def g() -> int:  # BAD
            return 1

        @workflow
        def wf() -> int:
            return number().with_overrides(resources=Resources(mem=("1Gi", "100Mi")))  # BAD
        """,
        [
            r"task 'bad\.t': it requests 2 of cpu and is limited to 500m",
            r"task 'bad\.g': it requests 1 of gpu and is limited to 2",
            r"node n0 \(task bad\.number\): it requests 1Gi of memory and is limited to 100Mi",
        ],
    ),
    "an ignored input of a cache": (
        """
        @task(cache=Cache(version="1", ignored_inputs="y"))
        def t(x: int) -> int:  # BAD
            return 1
        """,
        [r"task 'bad\.t': its cache ignores 'y', which is no input"],
    ),
    "a 3 MB literal": (
        """
        @workflow
        def wf() -> str:
            return text(s="a" * 3_000_000)  # BAD
        """,
        [r"Variable 's' of node n0 \(task bad\.text\): the value of 's' measures 2\.9 MiB"],
    ),
    "overrides": (
        """
        @workflow
        def unknown() -> int:
            return number().with_overrides(foo=1)  # BAD

        @workflow
        def promised(x: int) -> int:
            return number().with_overrides(retries=x)  # BAD

        @workflow
        def timeout() -> int:
            return number().with_overrides(timeout="1h")  # BAD

        @workflow
        def cached() -> int:
            return number().with_overrides(cache=True)  # BAD

        @workflow
        def sub() -> int:
            return unknown().with_overrides(retries=3)  # BAD
        """,
        [
            r"with_overrides has no 'foo'",
            r"with_overrides\(retries=…\) is given a value that does not exist yet",
            r"timeout must be a number of seconds or a datetime\.timedelta",
            r"must specify cache version when overriding",
            r"node n0 \(workflow bad\.unknown\): retries of a sub-workflow cannot be overridden",
        ],
    ),
    "what this version does not have": (
        """
        @dynamic
        def dyn(x: int) -> int:  # BAD
            return x

        @workflow
        def branches(x: int) -> int:
            return conditional("c").if_(x == 1).then(number(x=x)).else_().fail("no")  # BAD

        mapped = map_task(number)

        @workflow
        def maps() -> list[int]:
            return mapped(x=[1, 2])  # BAD

        @workflow
        def plan(x: int = 1) -> int:
            return LaunchPlan.get_or_create(branches, "child")(x=x)  # BAD

        @workflow
        def gate():
            approve(number(), "ok", timeout=1)  # BAD
        """,
        [
            r"@dynamic \(of 'dyn'\) is not supported",
            r"conditional\('c'\) is not supported",
            r"map_task is not supported",
            r"launch plan 'child' is called inside a workflow: launch plans as nodes are not supported",
            r"approve is not supported",
        ],
    ),
    "a schedule": (
        """
        @workflow
        def wf() -> int:
            return number()

        LaunchPlan.get_or_create(wf, "nightly", schedule=CronSchedule(schedule="0 1 * * *"))  # BAD
        """,
        [r"CronSchedule is not supported"],
    ),
    "a module that fails": (
        """
        import does_not_exist  # BAD
        """,
        [r"importing module 'bad' failed: ModuleNotFoundError: No module named 'does_not_exist'"],
    ),
    "a module that ends the process": (
        """
        raise SystemExit(3)  # BAD
        """,
        [r"importing module 'bad' failed: SystemExit: 3"],
    ),
    "a syntax error": (
        """
        def broken(:  # BAD
            pass
        """,
        [r"importing module 'bad' failed: SyntaxError: "],
    ),
    "no entity at all": ("pass\n", []),
}


def problems_in(folder: Path, source: str) -> tuple[ProgramError, list[int]]:
    """The error of compiling a program, and the lines that the program marks as bad."""
    body = textwrap.dedent(source)
    text = body if source == "pass\n" else HEADER + body
    file = folder / "bad.py"
    file.write_text(text)
    with pytest.raises(ProgramError) as raised:
        compile_program(load_program([file]), None)
    return raised.value, [number for number, line in enumerate(text.splitlines(), 1) if "# BAD" in line]


@pytest.mark.parametrize(("source", "messages"), CASES.values(), ids=CASES.keys())
def test_it_says_what_is_wrong_and_where(tmp_path: Path, source: str, messages: list[str]) -> None:
    error, lines = problems_in(tmp_path, source)
    if not messages:
        assert "there is no task, workflow or launch plan" in str(error)
        return
    found = sorted(error.problems, key=lambda problem: problem.location.line if problem.location else 0)
    assert [problem.location.line if problem.location else None for problem in found] == lines, error
    assert {problem.location.file for problem in found if problem.location} == {str(tmp_path / "bad.py")}
    for problem, message in zip(found, messages, strict=True):
        assert re.search(message, problem.message, re.DOTALL), problem.message
        assert "flytekit" not in problem.message


def test_a_workflow_of_a_file_with_other_problems_can_still_be_compiled_alone(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text(
        HEADER + "\n@workflow\ndef good() -> int:\n    return number()\n\n@dynamic\ndef dyn() -> int:\n    return 1\n"
    )
    program = load_program([file])
    documents = compile_closure(program, find_entity(program, "good"), None)
    assert [(document.kind, document.name) for document in documents] == [
        ("task", "bad.number"),
        ("workflow", "bad.good"),
        ("launch_plan", "bad.good"),
    ]
    with pytest.raises(ProgramError, match="@dynamic"):
        compile_program(program, None)


@pytest.mark.parametrize(
    "expression",
    [
        "ContainerTask(name='c', image='i', command=[])",
        "ShellTask(name='s', script='true')",
        "Workflow(name='imperative')",
        "ImperativeWorkflow('imperative')",
        "FixedRate(duration=1)",
        "Email(phases=[], recipients_email=[])",
        "ImageSpec(packages=[])",
        "Deck('d')",
        "StructuredDataset(uri='s3://b/k')",
        "workflow(on_failure=number)",
        "task(task_config=object())",
        "task(container_image=object())",
        "Cache(policies=[object()])",
        "wait_for_input('x', timeout=1, expected_type=int)",
        "sleep(1)",
        "eager(number)()",
        "reference_task(project='p', domain='d', name='n', version='v')(number.function)(x=1)",
        "LaunchPlan.create('p', wf, notifications=[1])",
        "LaunchPlan.create('p', wf, concurrency=1)",
    ],
)
def test_names_of_flytekit_that_say_what_to_do_instead(tmp_path: Path, expression: str) -> None:
    file = tmp_path / "uses.py"
    file.write_text(f"{HEADER}\n@workflow\ndef wf() -> int:\n    return number()\n\ndef use():\n    return {expression}\n")
    program = load_program([file])
    with program.activated(), pytest.raises(NotSupported, match="not supported") as raised:
        sys.modules["uses"].use()
    assert raised.value.hint
