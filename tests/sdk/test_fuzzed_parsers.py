"""Tests that every parser of foreign text, bytes or JSON returns a value or raises an error of flytemp."""

from __future__ import annotations

import contextlib
import inspect
import json
import zlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from flytemp.authoring.quantities import quantity
from flytemp.compiler.yaml.text import InvalidText, read_reference, read_type
from flytemp.compiler.yaml.trees import read_trees
from flytemp.config import load_settings
from flytemp.errors import FlytempError
from flytemp.layout import ExecutionLayout
from flytemp.literals.check import check_literal
from flytemp.literals.text import parse_text
from flytemp.literals.types import LiteralType
from flytemp.names import EntityId, check_execution, execution_name
from flytemp.protocol import activities, io_requests, workflow
from flytemp.protocol.json_checks import check_json
from flytemp.protocol.message import Message
from flytemp.records.stored import read_context, read_record
from flytemp.spec.pages import from_pages
from flytemp.spec.read import read_document
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from tests.sizes import short_and_long

EXAMPLES = short_and_long(60, 15_000)
"""Numbers of inputs of each parser in `just test` and in `just test-long`."""

TYPES: list[LiteralType] = [
    TypeAdapter(LiteralType).validate_python(type_)
    for type_ in (
        *({"kind": kind} for kind in ("boolean", "integer", "float", "string", "datetime", "date", "duration", "bytes", "any")),
        {"kind": "enum", "name": "Colour", "values": ["red", "green"]},
        {"kind": "list", "item": {"kind": "integer"}},
        {"kind": "map", "key": {"kind": "string"}, "value": {"kind": "float"}},
        {"kind": "file"},
        {"kind": "struct", "name": "Point", "fields": [{"name": "x", "type": {"kind": "integer"}, "required": True}]},
    )
]

MESSAGES = [
    kind
    for module in (activities, io_requests, workflow)
    for kind in vars(module).values()
    if inspect.isclass(kind) and issubclass(kind, Message) and kind is not Message
]

TEXTS = [
    "", "wf:default:development:a.b:v1", "ex:default:development:n", "list[dict[str, int | None]]", "file[csv]", "500m", "2Gi",
    "$load.rows[0].name", '$a.b["c"]', "2026-01-31T03:00:00.5+01:00", "2026-02-30", "P1DT2H", "1:30:00", "1e400", "NaN", "-0x1",
    "{a: [1, &x 2, *x]}", "a: !!python/object:os.system x", "[red, ",
    "workflow: w\nnodes:\n  - id: a\n    task: t\n    inputs: {x: $b.c}\n",
    '[temporal]\naddress = "x"\n[worker]\nslots = 3\n', "store = ['", "\ud800", "\0", "９", "ﬁ",
]  # fmt: skip

TASK = {"name": "a", "interface": {"inputs": [], "outputs": []}, "loader": "m:a"}
DOCUMENT = {"kind": "task", "schema_version": 1, "task": TASK}
SPECIAL = [*"[]{}:,.\"'$&*!|>-#\\\n\t \0é\ud800", "[" * 300, "9" * 400]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(TEXTS) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["node", "kind", "x", "phase", "gate"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def damaged_text(draw: st.DrawFn) -> str:
    """Return a text of `TEXTS` with some characters replaced."""
    text = draw(st.sampled_from([*TEXTS, json.dumps(DOCUMENT)]))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        inserted = draw(st.sampled_from(SPECIAL) | st.text(max_size=3))
        text = text[:start] + inserted + text[start + draw(st.integers(0, 4)) :]
    return text


def _toml(text: str, store: ObjectStore, folder: Path) -> None:
    (folder / "flytemp.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    load_settings(folder, environ={})


def _stored(text: str, store: ObjectStore, folder: Path) -> None:
    layout = ExecutionLayout("default", "w", "r")
    for key, read in ((layout.execution, read_context), (layout.record, read_record)):
        store.write(key, text.encode("utf-8", "surrogatepass"))
        read(store, layout)


PARSERS: dict[str, Callable[[str, ObjectStore, Path], object]] = {
    "urn": lambda text, store, folder: EntityId.parse(text),
    "workflow id": lambda text, store, folder: check_execution(execution_name(text)),
    "quantity": lambda text, store, folder: quantity(text, "mem"),
    "type": lambda text, store, folder: read_type(text),
    "reference": lambda text, store, folder: read_reference(text),
    "yaml": lambda text, store, folder: read_trees(text.encode("utf-8", "replace").decode(), "f.yaml"),
    "settings": _toml,
    "record": _stored,
    "document": lambda text, store, folder: read_document(text.encode("utf-8", "surrogatepass"), "x"),
    "pages": lambda text, store, folder: from_pages([text]),
    "compressed pages": lambda text, store, folder: from_pages(
        [b64encode(zlib.compress(text.encode("utf-8", "surrogatepass"))).decode()]
    ),
    "command line": lambda text, store, folder: [_ignored(parse_text, text, type_) for type_ in TYPES],
}


def _ignored(parse: Callable[..., object], *arguments: Any) -> None:
    with contextlib.suppress(FlytempError, InvalidText):
        parse(*arguments)


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("name", PARSERS)
def test_parser_of_text_raises_errors_of_flytemp_only(name: str, examples: int, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    _fuzz(lambda text: PARSERS[name](text, store, tmp_path), damaged_text(), examples)


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("kind", ["literal", "message", "json"])
def test_check_of_json_raises_errors_of_flytemp_only(kind: str, examples: int) -> None:
    def check(value: object) -> None:
        if kind == "json":
            check_json(value, "x", 1_000)
        for type_ in TYPES if kind == "literal" else ():
            _ignored(check_literal, value, type_)
        for message in MESSAGES if kind == "message" else ():
            _ignored(message.from_json, value)

    _fuzz(check, json_values, examples)


def _fuzz(parse: Callable[[Any], object], inputs: st.SearchStrategy[Any], examples: int) -> None:
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(inputs)
    def check(value: Any) -> None:
        _ignored(parse, value)

    check()


@pytest.mark.parametrize("levels", [99, 400, 100_000])
def test_deep_json_is_refused_without_recursion(levels: int) -> None:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    _ignored(check_json, value, "x", 1_000_000)
    for type_ in TYPES if levels < 1_000 else ():
        _ignored(check_literal, value, type_)
    with pytest.raises(FlytempError):
        from_pages([b64encode(zlib.compress(b"[" * levels + b"x")).decode()])
