"""`conditional`: a choice between calls that is made while the workflow runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flytemp.authoring.binding import Bound
from flytemp.authoring.callee import Entity, Step
from flytemp.authoring.compilation import Compilation, current_compilation
from flytemp.authoring.definition_site import DefinitionSite, caller_site
from flytemp.authoring.errors import ConditionError
from flytemp.authoring.expressions import Expression, checked_expression
from flytemp.authoring.interface import PythonInterface
from flytemp.authoring.local import LocalGraphRun
from flytemp.authoring.node import Node
from flytemp.authoring.promise import Chainable, Promise
from flytemp.errors import Problem
from flytemp.exceptions.user import UserProvidedError
from flytemp.literals.cast import castable, variant_for
from flytemp.literals.types import Json, LiteralType
from flytemp.spec.models import BranchCase, BranchSpec, Interface, Variable


@dataclass(slots=True)
class Case:
    """Case of a conditional: a condition (None for the last case), and a node or the message of a failure."""

    expression: Expression | None
    node: Node | None = None
    failure: str | None = None


class Branch:
    """Complete conditional, as the callee of its node."""

    kind_name = "conditional"
    settings = None

    def __init__(self, name: str, cases: Sequence[Case]) -> None:
        self.name = name
        self.cases = tuple(cases)
        self.python_interface = _interface(f"conditional '{name}'", [case.node for case in cases if case.node is not None])

    def step(self) -> Step:
        cases = tuple(
            BranchCase(
                condition=case.expression.spec() if case.expression is not None else None,
                node=case.node.spec() if case.node is not None else None,
                fail=case.failure,
            )
            for case in self.cases
        )
        return Step("branch", fields={"branch": BranchSpec(cases=cases, outputs=self.python_interface.interface.outputs)})

    def entities(self) -> Sequence[Entity]:
        return ()  # the inner nodes have the entities

    def inner_nodes(self) -> Sequence[Node]:
        return [case.node for case in self.cases if case.node is not None]

    def inner_bounds(self) -> Iterator[Bound]:
        for case in self.cases:
            if case.expression is not None:
                yield from case.expression.bounds()

    def run_locally(self, literals: Mapping[str, Json], run: LocalGraphRun) -> dict[str, Json]:
        """Run the node of the first case whose condition is true, and return its output literals.

        Raises:
            UserProvidedError: (a ``ValueError``) the case is a failure.
        """
        case = next(case for case in self.cases if case.expression is None or case.expression.holds(run.resolve))
        if case.node is None:
            raise UserProvidedError(case.failure or "")
        outputs = run.run(case.node)
        return {variable.name: outputs[variable.name] for variable in self.python_interface.interface.outputs}


class Condition:
    """Conditional without its last case: add ``.elif_(…).then(…)``, ``.else_().then(…)`` or ``.else_().fail(…)``."""

    def __init__(
        self, name: str, compilation: Compilation, site: DefinitionSite, on_end: Callable[[], None] | None = None
    ) -> None:
        self.name = name
        self.site = site
        self._compilation = compilation
        self._cases: list[Case] = []
        self._on_end = on_end  # called after the last case
        self._has_case = False
        compilation.conditionals.append(self)

    def __repr__(self) -> str:
        return f"conditional('{self.name}')"

    def if_(self, expression: Any) -> CaseStart:
        """Start the first case.

        Args:
            expression: comparisons of promises, combined with ``&`` and ``|``.

        Raises:
            ConditionError: (an ``AssertionError``) ``expression`` is something else, or there is a first case already.
        """
        if self._cases or self._has_case:
            raise self._out_of_order("if_", "elif_")
        return self._start(checked_expression(expression, f"{self.name}.if_"), "if_")

    def elif_(self, expression: Any) -> CaseStart:
        """Start the next case. Argument and errors are those of `if_`."""
        if not self._cases:
            raise self._out_of_order("elif_", "if_")
        return self._start(checked_expression(expression, f"{self.name}.elif_"), "elif_")

    def else_(self) -> CaseStart:
        """Start the last case, which is taken if no other case is.

        Raises:
            ConditionError: (an ``AssertionError``) there is no first case.
        """
        if not self._cases:
            raise self._out_of_order("else_", "if_")
        return self._start(None, "else_")

    def unfinished(self) -> Problem:
        """Return the problem of a conditional without a last case."""
        return Problem(
            f"conditional '{self.name}': A Conditional block should always end with an `else_()` clause",
            self.site.location,
            "add .else_().then(…) or .else_().fail('…')",
        )

    def _out_of_order(self, what: str, instead: str) -> ConditionError:
        return ConditionError(
            f"conditional '{self.name}': {what} is out of order", hint=f"use {instead}", location=caller_site().location
        )

    def _start(self, expression: Expression | None, what: str) -> CaseStart:
        self._has_case = True
        return CaseStart(self, expression, what, len(self._compilation.nodes))

    def end_case(self, case: Case, nodes_before: int) -> Any:
        """Add a case, and return the conditional or, after the last case, its result.

        Args:
            case: the case.
            nodes_before: the number of nodes before the case.

        Raises:
            ConditionError: (an ``AssertionError``) the case calls nothing of its own, or more than one callee.
        """
        created = self._compilation.nodes[nodes_before:]
        if case.node is not None:
            if case.node not in created:
                raise ConditionError(
                    f"conditional '{self.name}': {case.node} is called outside of the case, so it would always run",
                    hint="call it inside then(…)",
                    location=caller_site().location,
                )
            self._compilation.nodes.remove(case.node)
        others = [node for node in created if node is not case.node]
        if others:
            raise ConditionError(
                f"conditional '{self.name}': a case can make only one call, but this one also calls {others[0]}",
                hint="call it before the conditional, or move the calls to a sub-workflow",
                location=caller_site().location,
            )
        self._cases.append(case)
        return self if case.expression is not None else self._finish()

    def _finish(self) -> Any:
        self._compilation.conditionals.remove(self)
        node = self._compilation.add(Branch(self.name, self._cases), self.site)
        node.set_display_name(self.name)
        for index, case in enumerate(self._cases):
            if case.node is not None:
                case.node.set_parent(node, f"n{index}")
        if self._on_end is not None:
            self._on_end()
        return node.result()


class CaseStart:
    """Case without its outcome: add ``.then(task(…))`` or ``.fail("…")``."""

    def __init__(self, condition: Condition, expression: Expression | None, what: str, nodes_before: int) -> None:
        self._condition, self._expression, self._what, self._nodes_before = condition, expression, what, nodes_before

    def __repr__(self) -> str:
        return f"{self._condition!r}.{self._what}(…)"

    def then(self, call: Any) -> Any:
        """Complete the case with a call, and return the conditional or, after the last case, its result.

        Args:
            call: the result of a call of a task, workflow, launch plan, map or gate, or of another conditional.

        Raises:
            ConditionError: (an ``AssertionError``) ``call`` is something else.
        """
        if isinstance(call, Promise) and (call._node is None or call._path):
            raise self._not_a_call(call)
        if not isinstance(call, Chainable):
            raise self._not_a_call(call)
        return self._condition.end_case(Case(self._expression, node=call._chained_node()), self._nodes_before)

    def fail(self, err: str) -> Any:
        """Complete the case with a failure of the workflow.

        Args:
            err: the message of the failure.
        """
        return self._condition.end_case(Case(self._expression, failure=str(err)), self._nodes_before)

    def _not_a_call(self, given: object) -> ConditionError:
        return ConditionError(
            f"conditional '{self._condition.name}': then() expects a call of a task or workflow, got {given!r}",
            hint="call something: .then(double(x=x)); to choose an existing value, call a task that returns it",
            location=caller_site().location,
        )


def conditional(name: str) -> Condition:
    """Start a conditional, which chooses between calls while the workflow runs::

        conditional("size").if_(x > 10).then(large(x=x)).elif_(x > 0).then(small(x=x)).else_().fail("x must be positive")

    Only the call of the first case whose condition is true runs. The outputs of the conditional are those that the calls of
    all its cases share, by name.

    Args:
        name: the name of the conditional in views and messages.

    Raises:
        ConditionError: (an ``AssertionError``) the call is outside of a workflow.
    """
    site = caller_site()
    compilation = current_compilation()
    if compilation is None:
        raise ConditionError(
            "Branches can only be invoked within a workflow context!",
            hint="use conditional() in a @workflow or @dynamic; elsewhere, Python's own if",
            location=site.location,
        )
    return Condition(name, compilation, site)


def _interface(owner: str, nodes: Sequence[Node]) -> PythonInterface:
    """Return the interface with the outputs that all nodes have, by name, with the type that includes those of all nodes."""
    interfaces = [node.callee.python_interface for node in nodes]
    outputs: dict[str, Any] = {}
    variables: list[Variable] = []
    for variable in interfaces[0].interface.outputs if interfaces else ():
        found = [each.output_types.get(variable.name) for each in interfaces]
        types = [type_ for type_ in found if type_ is not None]
        widest = _widest(types) if len(types) == len(interfaces) else None
        if widest is not None:
            outputs[variable.name] = interfaces[types.index(widest)].outputs[variable.name]
            variables.append(Variable(name=variable.name, type=widest, description=variable.description))
    classes = {each.output_class for each in interfaces}
    whole = len(classes) == 1 and all(len(each.outputs) == len(outputs) for each in interfaces)
    return PythonInterface(owner, {}, outputs, classes.pop() if whole else None, Interface(outputs=tuple(variables)))


def _widest(types: Iterable[LiteralType]) -> LiteralType | None:
    """Return the type among ``types`` that includes all of them without a conversion, or None."""
    types = list(types)
    for candidate in types:
        if all(castable(type_, candidate) and variant_for(type_, candidate) is None for type_ in types):
            return candidate
    return None
