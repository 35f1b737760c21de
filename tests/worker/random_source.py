"""Random programs as Python source, with results that do not depend on how they run."""

from __future__ import annotations

from random import Random

HEADER = '''"""A random program."""

import functools
from datetime import timedelta
from typing import List, Optional

from flytemp import LaunchPlan, conditional, dynamic, map_task, sleep, task, workflow


@task
def mix(a: int, b: int) -> int:
    return (3 * a + 2 * b + 1) % 1009


@task
def twice(x: int) -> int:
    return (2 * x) % 1009


@task
def numbers(n: int) -> List[int]:
    return [(7 * n + i) % 1009 for i in range(n % 7)]


@task
def total(xs: List[int]) -> int:
    return sum(xs) % 1009


@task
def picky(x: int) -> int:
    if x % 3 == 0:
        raise ValueError(f"{x} is a multiple of three")
    return x


@task
def known(xs: List[Optional[int]]) -> int:
    return sum(x for x in xs if x is not None) % 1009


@dynamic
def spread(n: int, x: int) -> int:
    value = x
    for _ in range(n % 4):
        value = mix(a=value, b=n)
    return value


@dynamic
def halve(n: int) -> int:
    if n % 8 == 0:
        return twice(x=n)
    return mix(a=halve(n=n // 2 - n // 2 % 8), b=n)
'''

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


class Writer:
    """Generator of one program, which depends on the seed only."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._workflows: list[str] = []
        self._plans: list[str] = []

    def program(self, workflows: int = 3) -> str:
        parts = [HEADER]
        for number in range(workflows):
            last = number == workflows - 1
            name = "main" if last else f"w{number}"
            parts.append(self._workflow(name, self._random.randint(3, 8 if last else 5)))
            if not last:
                self._workflows.append(name)
                plan = f"plan{number}"
                parts.append(f'{plan} = LaunchPlan.get_or_create({name}, name="PREFIX-{plan}")\n')
                self._plans.append(plan)
        return "\n\n".join(parts)

    def _workflow(self, name: str, statements: int) -> str:
        values = ["x"]
        lines = ["@workflow", f"def {name}(x: int) -> int:"]
        for number in range(statements):
            value = f"v{number}"
            lines += [f"    {line}" for line in self._statement(value, values)]
            values.append(value)
        lines.append(f"    return mix(a={values[-1]}, b={self._random.choice(values)})")
        return "\n".join(lines) + "\n"

    def _statement(self, value: str, values: list[str]) -> list[str]:
        choose = self._random.choice
        a, b = choose(values), choose(values)
        kinds = ["call", "call", "map", "picky", "branch", "nested", "dynamic", "sleep"]
        kind = choose(kinds + (["workflow", "plan", "map workflow"] if self._workflows else []))
        match kind:
            case "map":
                width = choose(["", ", concurrency=1", ", concurrency=2", ", items_per_task=2"])
                return [f"{value} = total(xs=map_task(functools.partial(mix, b={b}){width})(a=numbers(n={a})))"]
            case "picky":
                options = choose(["min_success_ratio=0.0", "min_success_ratio=0.0, items_per_task=3", "min_successes=0"])
                return [f"{value} = known(xs=map_task(picky, {options})(x=numbers(n={a})))"]
            case "map workflow":
                return [f"{value} = total(xs=map_task({choose(self._workflows)})(x=numbers(n={a})))"]
            case "branch":
                return [f"{value} = {self._branch(a, b)}"]
            case "nested":
                inner = self._branch(b, a)
                sign = choose(COMPARISONS)
                return [
                    f'{value} = conditional("outer").if_({a} {sign} {self._random.randint(0, 1009)}).then({inner})'
                    f".else_().then({self._call(values)})"
                ]
            case "dynamic":
                return [f"{value} = " + choose([f"spread(n={a}, x={b})", f"halve(n={a})"])]
            case "sleep":
                return [f"{value} = {self._call(values)}", f"sleep(timedelta(seconds=0.1)) >> {value}"]
            case "workflow":
                return [f"{value} = {choose(self._workflows)}(x={a})"]
            case "plan":
                return [f"{value} = {choose(self._plans)}(x={a})"]
        return [f"{value} = {self._call(values)}"]

    def _branch(self, a: str, b: str) -> str:
        sign, other, bound = self._random.choice(COMPARISONS), self._random.choice(COMPARISONS), self._random.randint(0, 1009)
        joint = self._random.choice(["&", "|"])
        condition = f"({a} {sign} {bound}) {joint} ({b} {other} {a})"
        cases = [f"twice(x={a})", f"mix(a={a}, b={b})", f"spread(n={a}, x={b})"]
        cases += [f"{name}(x={b})" for name in (*self._workflows, *self._plans)]
        first, second, third = (self._random.choice(cases) for _ in range(3))
        middle = f".elif_({a} {other} {bound // 2}).then({second})" if self._random.random() < 0.5 else ""
        return f'conditional("c").if_({condition}).then({first}){middle}.else_().then({third})'

    def _call(self, values: list[str]) -> str:
        choose = self._random.choice
        return choose([f"mix(a={choose(values)}, b={choose(values)})", f"twice(x={choose(values)})"])
