"""Registration of type transformers, under flytekit's names."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Generic, NewType, TypeVar

import pytest

from flytemp.errors import InputError, LimitExceeded, NotSupported, StoreError, TypeMismatch
from flytemp.extend import BlobType, Json, LiteralType, SimpleType, TransformContext, TypeEngine, TypeTransformer
from flytemp.literals.convert import from_literal, literal_type, to_literal
from flytemp.literals.registry import TypeRegistry
from flytemp.literals.transfer import RawDataTransfer

T = TypeVar("T")
TEXT = SimpleType(kind="string")


class TextTransformer(TypeTransformer[Any]):
    """Writes a value as its text."""

    def get_literal_type(self, t: type[Any]) -> LiteralType:
        return TEXT

    def to_literal(self, ctx: TransformContext, python_val: Any, python_type: type[Any], expected: LiteralType) -> Json:
        return f"{self.name}:{python_val.text}"

    def to_python_value(self, ctx: TransformContext, lv: Json, expected_python_type: type[Any]) -> Any:
        return self.python_type(lv.removeprefix(f"{self.name}:"))


class Value:
    def __init__(self, text: str) -> None:
        self.text = text


def new_class(name: str = "Value", base: type = Value) -> type[Value]:
    """Return a class that no other test has registered."""
    return type(name, (base,), {"__module__": __name__})


def test_registered_class_and_its_subclass_are_converted() -> None:
    cls = new_class()
    sub = new_class("Sub", cls)
    with pytest.raises(NotSupported):
        literal_type(cls)
    TypeEngine.register(TextTransformer("text", cls))
    assert literal_type(list[cls]).model_dump() == {"kind": "list", "item": {"kind": "string"}}  # type: ignore[valid-type]
    assert to_literal(cls("a"), cls) == "text:a"
    assert to_literal(sub("a"), sub) == "text:a"
    assert from_literal("text:b", cls).text == "b"
    with pytest.raises(TypeMismatch):
        to_literal("a", cls)


def test_a_dataclass_may_have_a_transformer_of_its_own() -> None:
    import dataclasses

    cls = dataclasses.make_dataclass("Point", [("text", str)])
    assert literal_type(cls).kind == "struct"
    TypeEngine.register(TextTransformer("point", cls))
    assert literal_type(cls) == TEXT
    assert to_literal(cls("a"), cls) == "point:a"


def test_a_second_transformer_for_a_type_is_refused_unless_it_overrides() -> None:
    cls = new_class()
    first, second = TextTransformer("first", cls), TextTransformer("second", cls)
    TypeEngine.register(first)
    TypeEngine.register(first)
    with pytest.raises(InputError) as caught:
        TypeEngine.register(second)
    assert "'first'" in str(caught.value)
    TypeEngine.register_additional_type(second, cls)
    assert TypeEngine.get_transformer(cls) is first
    TypeEngine.register_additional_type(second, cls, override=True)
    assert to_literal(cls("a"), cls) == "second:a"
    with pytest.raises(InputError):
        TypeEngine.register(TextTransformer("int", int))


def test_additional_types_and_aliases() -> None:
    cls, other = new_class(), new_class("Other")
    alias = NewType("alias", cls)  # type: ignore[valid-newtype]
    transformer = TextTransformer("text", cls)
    TypeEngine.register(transformer, additional_types=[other])
    assert TypeEngine.get_transformer(other) is transformer
    assert to_literal(cls("a"), alias) == "text:a"
    assert {cls, other} <= set(TypeEngine.get_available_transformers())


def test_the_annotation_reaches_the_transformer_with_metadata_and_arguments() -> None:
    class Table(Generic[T]):
        pass

    seen: list[Any] = []

    class TableTransformer(TextTransformer):
        def get_literal_type(self, t: type[Any]) -> LiteralType:
            seen.append(t)
            return TEXT

    TypeEngine.register(TableTransformer("table", Table))
    for annotation in (Table, Table[int], Annotated[Table[int], "csv"]):
        assert literal_type(annotation) == TEXT
    assert seen == [Table, Table[int], Annotated[Table[int], "csv"]]


def test_a_transformer_inside_annotated_converts_that_annotation_only() -> None:
    cls = new_class()
    annotation = Annotated[cls, TextTransformer("annotated", cls)]
    assert to_literal(cls("a"), annotation) == "annotated:a"
    with pytest.raises(NotSupported):
        literal_type(cls)


@pytest.mark.parametrize("annotation", [int, list[int], dict[str, float], int | str, Path], ids=str)
def test_built_in_types_are_in_the_registry(annotation: Any) -> None:
    transformer = TypeEngine.get_transformer(annotation)
    assert transformer.get_literal_type(annotation) == literal_type(annotation)
    ctx = TransformContext()
    for value in (3, [3], {"a": 1.5}, Path("x")):
        try:
            literal = TypeEngine.to_literal(ctx, value, annotation)
        except TypeMismatch:
            continue
        assert transformer.to_literal(ctx, value, annotation, literal_type(annotation)) == literal
        assert transformer.to_python_value(ctx, literal, annotation) == value
        assert TypeEngine.to_python_value(ctx, literal, annotation) == value


def test_a_literal_of_another_type_names_the_transformer() -> None:
    class Wrong(TextTransformer):
        def to_literal(self, ctx: TransformContext, python_val: Any, python_type: type[Any], expected: LiteralType) -> Json:
            return 3

    cls = new_class()
    TypeEngine.register(Wrong("wrong", cls))
    with pytest.raises(TypeMismatch, match=r"'wrong'.*\(at \[0\]\)"):
        to_literal([cls("a")], list[cls])  # type: ignore[valid-type]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ZeroDivisionError("no"), TypeMismatch),
        (AssertionError("no"), TypeMismatch),
        (TypeMismatch("no", hint="do"), TypeMismatch),
        (LimitExceeded("no"), LimitExceeded),
        (StoreError("no"), StoreError),
    ],
    ids=lambda each: type(each).__name__,
)
def test_errors_of_a_transformer(raised: Exception, expected: type[Exception]) -> None:
    class Failing(TextTransformer):
        def to_python_value(self, ctx: TransformContext, lv: Json, expected_python_type: type[Any]) -> Any:
            raise raised

    cls = new_class()
    TypeEngine.register(Failing("failing", cls))
    with pytest.raises(expected) as caught:
        from_literal("x", cls)
    assert type(caught.value) is expected
    assert caught.value is raised or caught.value.__cause__ is raised


def test_a_transformer_that_returns_no_literal_type_is_refused() -> None:
    class Typeless(TextTransformer):
        def get_literal_type(self, t: type[Any]) -> LiteralType:
            return "string"  # type: ignore[return-value]

    cls = new_class()
    TypeEngine.register(Typeless("typeless", cls))
    with pytest.raises(NotSupported, match="'typeless'"):
        literal_type(cls)


def test_files_of_a_transformer_are_moved_to_the_runs_raw_data(tmp_path: Path) -> None:
    class FolderTransformer(TextTransformer):
        def get_literal_type(self, t: type[Any]) -> LiteralType:
            return BlobType(kind="directory")

        def to_literal(self, ctx: TransformContext, python_val: Any, python_type: type[Any], expected: LiteralType) -> Json:
            folder = Path(ctx.file_access.get_random_local_directory())
            (folder / "text").write_text(python_val.text)
            return ctx.file_access.upload_directory(str(folder))

        def to_python_value(self, ctx: TransformContext, lv: Json, expected_python_type: type[Any]) -> Any:
            return self.python_type(Path(ctx.file_access.download_directory(lv["uri"]), "text").read_text())

    cls = new_class()
    TypeEngine.register(FolderTransformer("folder", cls))
    (tmp_path / "work").mkdir()
    files = RawDataTransfer((tmp_path / "raw").as_uri(), tmp_path / "work")
    literal = to_literal(cls("hello"), cls, files)
    assert literal["uri"].startswith((tmp_path / "raw").as_uri())
    assert from_literal(literal, cls, files).text == "hello"
    assert from_literal(to_literal(cls("local"), cls), cls).text == "local"


def test_registrations_and_look_ups_of_many_threads() -> None:
    registry = TypeRegistry()
    classes = [new_class(f"C{number}") for number in range(200)]
    start = threading.Barrier(8)

    def work(offset: int) -> None:
        start.wait()
        for number in range(offset, len(classes), 8):
            registry.register(TextTransformer(f"t{number}", classes[number]))
            assert registry.adapter_for(list[classes[number]]).type.kind == "list"  # type: ignore[valid-type]
            assert registry.adapter_for(classes[number]).encode(classes[number]("a"), None) == f"t{number}:a"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert set(classes) <= set(registry.registered_types())
