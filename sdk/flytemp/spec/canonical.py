"""JSON of documents: stored, canonical for the digest, and complete for comparing.

The stored and the canonical form leave out every field that equals its default, whether or not the author wrote it.
Therefore a new optional field leaves the digests of all existing documents as they are, and an older flytemp can read the
documents that do not use the field. Therefore, too, a default never changes after a release.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator

from pydantic_core import PydanticSerializationError

from flytemp.literals.types import Json, SchemaModel
from flytemp.pods.shape import is_unicode
from flytemp.spec.models import LaunchPlanDocument, SourceLocation, TaskDocument, WorkflowDocument

AnyDocument = TaskDocument | WorkflowDocument | LaunchPlanDocument

_ALWAYS = frozenset({"kind", "schema_version"})
"""Fields that are kept although they equal their defaults: they tell models and versions apart."""

_SHOWN_CHARACTERS = 60


def dumps(value: Json) -> str:
    """Return compact JSON with sorted keys: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def stored(document: AnyDocument) -> str:
    """Return the JSON that the store keeps. The keys of maps keep their order, which users see in defaults and constants."""
    return json.dumps(_json(document), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content(model: SchemaModel) -> dict[str, Json]:
    """Return a document, or a part of one, as JSON without defaults and without source locations."""
    return _json(model, locations=False)


def complete(model: SchemaModel) -> dict[str, Json]:
    """Return a document, or a part of one, as JSON with every field except source locations, for comparing two of them."""
    return _json(model, defaults=True, locations=False)


def digest(document: AnyDocument) -> str:
    """Return the SHA-256, in hex, of the canonical JSON. It covers the code bundle by the bundle's digest."""
    return hashlib.sha256(dumps(content(document)).encode()).hexdigest()


def invalid_text(document: AnyDocument) -> str | None:
    """Return the first text of a document that no JSON can contain because it is not Unicode, with its path, or None."""
    try:
        document.model_dump_json()  # many times faster than the search
    except PydanticSerializationError:
        return next(_invalid_texts("", _json(document, locations=False)), None)
    return None


def _invalid_texts(path: str, value: Json) -> Iterator[str]:
    if isinstance(value, str) and not is_unicode(value):
        yield f"{path} {value[:_SHOWN_CHARACTERS]!r}"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _invalid_texts(f"a key of {path}", key)
            yield from _invalid_texts(f"{path}.{key}".lstrip("."), item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _invalid_texts(f"{path}[{number}]", item)


def _json(model: SchemaModel, *, defaults: bool = False, locations: bool = True) -> dict[str, Json]:
    kept: dict[str, Json] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, SourceLocation) and not locations:
            continue
        plain = _plain(value, defaults, locations)
        if defaults or not _is_default(type(model), name, plain):
            kept[name] = plain
    return kept


def _plain(value: object, defaults: bool, locations: bool) -> Json:
    """Return a field's value as JSON. Values of the user are JSON already and stay as they are."""
    if isinstance(value, SchemaModel):
        return _json(value, defaults=defaults, locations=locations)
    if isinstance(value, tuple | list):
        return [_plain(item, defaults, locations) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item, defaults, locations) for key, item in value.items()}
    return value


def _is_default(model: type[SchemaModel], name: str, plain: Json) -> bool:
    default = _defaults(model).get(name, _REQUIRED)
    if type(plain) is not type(default) or plain != default:
        return False
    # Inside a container, Python takes 1, 1.0 and True for equal; JSON does not.
    return not isinstance(plain, dict | list) or dumps(plain) == dumps(default)


_REQUIRED = object()


@functools.cache
def _defaults(model: type[SchemaModel]) -> dict[str, Json]:
    return dict(defaults_of(model))


def defaults_of(model: type[SchemaModel]) -> Iterator[tuple[str, Json]]:
    """Yield the fields that the stored form may leave out, each with its default as JSON."""
    for name, field in model.model_fields.items():
        if not field.is_required() and name not in _ALWAYS:
            yield name, _plain(field.get_default(call_default_factory=True), False, True)
