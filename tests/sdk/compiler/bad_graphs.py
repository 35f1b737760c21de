"""What a workflow's function can do wrong."""

from __future__ import annotations

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
    "a condition": (
        """
        @workflow
        def wf(x: int) -> int:
            value = number(x=x)
            if value > 3:  # BAD
                return value
            return number(x=1)
        """,
        [r"the output 'o0' of node n0 \(task bad\.number\) > 3 is neither true nor false"],
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
        [r"the text holds a promise, not its value: .number Promise\(the output 'o0' of node n0 "],
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
}
