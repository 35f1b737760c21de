"""`conditional`: which call is made is decided while the workflow runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flytemp.authoring.binding import Bound
from flytemp.authoring.callee import Entity, Step
from flytemp.authoring.compilation import Compilation, current_compilation
from flytemp.authoring.definition_site import DefinitionSite, caller_site
from flytemp.authoring.errors import ConditionError
from flytemp.authoring.expressions import Expression, checked_expression
from flytemp.authoring.interface import PythonInterface
from flytemp.authoring.node import Node
from flytemp.authoring.promise import Chainable, Promise
from flytemp.errors import Problem
from flytemp.exceptions.user import UserProvidedError
from flytemp.literals.cast import castable, variant_for
from flytemp.literals.types import Json, LiteralType
from flytemp.spec.models import BranchCase, BranchSpec, Interface, Variable

if TYPE_CHECKING:
    from flytemp.authoring.local import Scope


@dataclass(slots=True)
class Case:
    """``expression`` is None for the last one; it has a node, or the message of a failure."""

    expression: Expression | None
    node: Node | None = None
    failure: str | None = None


class Branch:
    """A complete conditional, as a node calls it."""

    noun = "conditional"
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
        return Step("branch", branch=BranchSpec(cases=cases, outputs=self.python_interface.interface.outputs))

    def entities(self) -> Sequence[Entity]:
        return ()  # the nodes of the cases have them

    def inner_nodes(self) -> Sequence[Node]:
        return [case.node for case in self.cases if case.node is not None]

    def inner_bounds(self) -> Iterator[Bound]:
        for case in self.cases:
            if case.expression is not None:
                yield from case.expression.bounds()

    def run_here(self, literals: Mapping[str, Json], scope: Scope) -> dict[str, Json]:
        """Run the node of the first case whose condition holds.

        Raises:
            UserProvidedError: (a ``ValueError``) if that case fails.
        """
        case = next(case for case in self.cases if case.expression is None or case.expression.holds(scope.resolve))
        if case.node is None:
            raise UserProvidedError(case.failure or "")
        outputs = scope.run(case.node)
        return {variable.name: outputs[variable.name] for variable in self.python_interface.interface.outputs}


class Condition:
    """A conditional that has no last case yet: ``.elif_(…).then(…)``, ``.else_().then(…)`` or ``.else_().fail(…)``."""

    def __init__(
        self, name: str, compilation: Compilation, place: DefinitionSite, on_end: Callable[[], None] | None = None
    ) -> None:
        self.name = name
        self.place = place
        self._compilation = compilation
        self._cases: list[Case] = []
        self._on_end = on_end  # hears when the last case is there
        self._has_case = False
        compilation.conditionals.append(self)

    def __repr__(self) -> str:
        return f"conditional('{self.name}')"

    def if_(self, expression: Any) -> CaseStart:
        """The first case.

        Args:
            expression: comparisons of promises, combined with ``&`` and ``|``.

        Raises:
            ConditionError: (an ``AssertionError``) for anything else.
        """
        if self._cases or self._has_case:
            raise self._out_of_order("if_", "elif_")
        return self._start(checked_expression(expression, f"{self.name}.if_"), "if_")

    def elif_(self, expression: Any) -> CaseStart:
        """The next case; see `if_`."""
        if not self._cases:
            raise self._out_of_order("elif_", "if_")
        return self._start(checked_expression(expression, f"{self.name}.elif_"), "elif_")

    def else_(self) -> CaseStart:
        """The last case, for when no other one is taken."""
        if not self._cases:
            raise self._out_of_order("else_", "if_")
        return self._start(None, "else_")

    def unfinished(self) -> Problem:
        """The problem of a conditional that ends too early."""
        return Problem(
            f"conditional '{self.name}': A Conditional block should always end with an `else_()` clause",
            self.place.location,
            "add .else_().then(…) or .else_().fail('…')",
        )

    def _out_of_order(self, what: str, instead: str) -> ConditionError:
        return ConditionError(
            f"conditional '{self.name}' cannot have {what} here", hint=f"use {instead}", location=caller_site().location
        )

    def _start(self, expression: Expression | None, what: str) -> CaseStart:
        self._has_case = True
        return CaseStart(self, expression, what, len(self._compilation.nodes))

    def end_case(self, case: Case, nodes_before: int) -> Any:
        """Take a case in. After the last one: what the conditional gives to the workflow's function."""
        made = self._compilation.nodes[nodes_before:]
        if case.node is not None:
            if case.node not in made:
                raise ConditionError(
                    f"conditional '{self.name}': {case.node} is made outside of the case, so it runs in any case",
                    hint="call it inside then(…)",
                    location=caller_site().location,
                )
            self._compilation.nodes.remove(case.node)
        others = [node for node in made if node is not case.node]
        if others:
            raise ConditionError(
                f"conditional '{self.name}': a case makes one call, and this one makes {others[0]} as well",
                hint="call it before the conditional, or put the calls into a sub-workflow",
                location=caller_site().location,
            )
        self._cases.append(case)
        return self if case.expression is not None else self._finish()

    def _finish(self) -> Any:
        self._compilation.conditionals.remove(self)
        node = self._compilation.add(Branch(self.name, self._cases), self.place)
        node.call_it(self.name)
        for index, case in enumerate(self._cases):
            if case.node is not None:
                case.node.put_into(node, f"n{index}")
        if self._on_end is not None:
            self._on_end()
        return node.result()


class CaseStart:
    """A case that does not say yet what it does: ``.then(task(…))`` or ``.fail("…")``."""

    def __init__(self, condition: Condition, expression: Expression | None, what: str, nodes_before: int) -> None:
        self._condition, self._expression, self._what, self._nodes_before = condition, expression, what, nodes_before

    def __repr__(self) -> str:
        return f"{self._condition!r}.{self._what}(…)"

    def then(self, call: Any) -> Any:
        """Make this call: of a task, workflow, launch plan, dynamic, gate, or another conditional.

        Raises:
            ConditionError: (an ``AssertionError``) for anything else.
        """
        if isinstance(call, Promise) and (call._node is None or call._path):
            raise self._no_call(call)
        if not isinstance(call, Chainable):
            raise self._no_call(call)
        return self._condition.end_case(Case(self._expression, node=call._chained_node()), self._nodes_before)

    def fail(self, err: str) -> Any:
        """Fail the workflow with this message."""
        return self._condition.end_case(Case(self._expression, failure=str(err)), self._nodes_before)

    def _no_call(self, given: object) -> ConditionError:
        return ConditionError(
            f"conditional '{self._condition.name}': then({given!r}) is no call of a task or workflow",
            hint="give then() a call: .then(double(x=x)); for a value that is there already, a task that returns it",
            location=caller_site().location,
        )


def conditional(name: str) -> Condition:
    """Decide between calls while the workflow runs.

        conditional("size").if_(x > 10).then(large(x=x)).elif_(x > 0).then(small(x=x)).else_().fail("x must be positive")

    What it gives are the outputs that the calls of all cases have. Only the call of the case that is taken runs.

    Raises:
        ConditionError: (an ``AssertionError``) outside of a workflow.
    """
    place = caller_site()
    compilation = current_compilation()
    if compilation is None:
        raise ConditionError(
            "Branches can only be invoked within a workflow context!",
            hint="use conditional() in a @workflow or @dynamic; elsewhere, Python's own if",
            location=place.location,
        )
    return Condition(name, compilation, place)


def _interface(owner: str, nodes: Sequence[Node]) -> PythonInterface:
    """The outputs that all nodes have: same name, and types that are one, or that one of them takes in."""
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
    """The type of these that values of all can be used as, just as they are."""
    types = list(types)
    for candidate in types:
        if all(castable(type_, candidate) and variant_for(type_, candidate) is None for type_ in types):
            return candidate
    return None
