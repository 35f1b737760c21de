"""What `approve`, `reject` and `set-input` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flytemp_cli.options import Session


def show_answer(session: Session, name: str, gate: str, what: str, answer: Mapping[str, Any], nodes: Sequence[str]) -> None:
    """Say that a gate is answered: ``what`` in a person's words; ``nodes`` are those that waited for it."""
    output = session.output()
    output.data({"name": name, "gate": gate, **answer, "nodes": list(nodes)}, table=lambda _: [], names=[name])
    if not output.is_table:
        return
    output.note(f"gate {gate} of execution {name} {what}")
    if not nodes:
        output.note("the run has not reached it: the answer is kept until it does")
