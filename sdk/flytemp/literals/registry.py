"""Registry of type transformers: from an annotation to its adapter."""

from __future__ import annotations

import threading
import typing
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Annotated, Any, get_args, get_origin

from flytemp.errors import InputError, UnsupportedType
from flytemp.literals.adapters.base import Adapter
from flytemp.literals.adapters.builtin import BuiltinTransformer, class_transformers, structural_transformers
from flytemp.literals.adapters.refusals import annotation_text, refuse
from flytemp.literals.aliases import unaliased
from flytemp.literals.plugins import TypePlugins
from flytemp.literals.transformers import TypeTransformer, class_of

_CACHED = 4096  # annotations; a program has hundreds


class TypeRegistry:
    """The transformers of a process. All methods may be called from several threads.

    The transformer of an annotation is the first of these:

    1. a transformer inside ``Annotated[…]``;
    2. the transformer registered for the annotation itself, or for its origin (``Table`` of ``Table[int]``);
    3. the transformer registered, or offered by a plug-in, for the class or the nearest of its bases;
    4. the transformer of dataclasses, named tuples and typed dicts.
    """

    def __init__(self, plugins: TypePlugins | None = None) -> None:
        self._lock = threading.Lock()
        # Replaced as a whole, so that readers need no lock.
        self._by_type: dict[Any, TypeTransformer[Any]] = {each.python_type: each for each in class_transformers(self.adapter_for)}
        self._structural = tuple(structural_transformers(self.adapter_for))
        self._plugins = plugins or TypePlugins()
        # A part of the cache's key: an adapter from before a registration is not found after it.
        self._generation = 0
        self._cached = lru_cache(maxsize=_CACHED)(lambda annotation, generation: self._resolve(annotation))

    def register(self, transformer: TypeTransformer[Any], additional_types: Sequence[Any] = ()) -> None:
        """Register a transformer for its class and for more types.

        A plug-in that is being loaded does not replace the transformers of the program: a type that has one keeps it.

        Raises:
            InputError: a type has another transformer.
        """
        types = [transformer.python_type, *additional_types]
        with self._lock:
            if self._plugins.is_loading():
                types = [type_ for type_ in types if type_ not in self._by_type]
            for type_ in types:
                existing = self._by_type.get(type_)
                if existing is not None and existing is not transformer:
                    raise InputError(
                        f"cannot register the transformer {transformer.name!r} for {annotation_text(type_)}: "
                        f"the transformer {existing.name!r} is registered",
                        hint="to replace it, call TypeEngine.register_additional_type(…, override=True)",
                    )
            self._add(dict.fromkeys(types, transformer))

    def register_additional_type(self, transformer: TypeTransformer[Any], additional_type: Any, override: bool = False) -> None:
        """Register a transformer for one more type, if the type has none or ``override`` is True."""
        with self._lock:
            if override or additional_type not in self._by_type:
                self._add({additional_type: transformer})

    def registered_types(self) -> tuple[Any, ...]:
        """Return the types with a registered transformer, without those of plug-ins that are not loaded yet."""
        return tuple(self._by_type)

    def transformer_for(self, annotation: Any) -> TypeTransformer[Any]:
        """Return the transformer of an annotation whose texts are resolved.

        Raises:
            UnsupportedType: no transformer converts the annotation; the hint has an alternative.
            ConfigError: a plug-in for the annotation cannot be loaded.
        """
        if isinstance(annotation, str | typing.ForwardRef):
            raise UnsupportedType(
                f"the annotation {annotation!r} is a text that was not resolved",
                hint="define or import the name at the top of the module, not under TYPE_CHECKING",
            )
        if get_origin(annotation) is Annotated:
            bare, *metadata = get_args(annotation)
            return next((each for each in metadata if isinstance(each, TypeTransformer)), None) or self.transformer_for(bare)
        found = self._registered(annotation) or self._by_class(annotation) or self._by_structure(annotation)
        if found is not None:
            return found
        alias = unaliased(annotation)
        if alias is not annotation:
            return self.transformer_for(alias)
        refuse(annotation)

    def adapter_for(self, annotation: Any) -> Adapter:
        """Return the adapter of an annotation whose texts are resolved; raises as `transformer_for`."""
        if isinstance(annotation, Hashable):
            try:
                return self._cached(annotation, self._generation)
            except TypeError:  # unhashable inside, as Annotated[int, []] is
                return self._resolve(annotation)
        return self._resolve(annotation)

    def _resolve(self, annotation: Any) -> Adapter:
        alias = unaliased(annotation)
        if alias is not annotation and self._registered(annotation) is None:
            return self.adapter_for(alias)
        transformer = self.transformer_for(annotation)
        if isinstance(transformer, BuiltinTransformer) and get_origin(annotation) is Annotated:
            # Built-in types have no metadata: all spellings of an annotation have one adapter.
            return self.adapter_for(get_args(annotation)[0])
        return transformer.adapter(annotation)

    def _registered(self, annotation: Any) -> TypeTransformer[Any] | None:
        for key in (annotation, get_origin(annotation)):
            try:
                found = self._by_type.get(key)
            except TypeError:  # unhashable
                continue
            if found is not None and _handles(found, annotation):
                return found
        return None

    def _by_class(self, annotation: Any) -> TypeTransformer[Any] | None:
        cls = class_of(annotation)
        for base in cls.__mro__ if cls is not None else ():
            if base not in self._by_type:
                for transformer in self._plugins.load_for(base):
                    self.register_additional_type(transformer, transformer.python_type)
            found = self._by_type.get(base)
            if found is not None and _handles(found, annotation):
                return found
        return None

    def _by_structure(self, annotation: Any) -> TypeTransformer[Any] | None:
        return next((each for each in self._structural if each.handles(annotation)), None)

    def _add(self, transformers: dict[Any, TypeTransformer[Any]]) -> None:
        self._by_type = {**self._by_type, **transformers}
        self._generation += 1


def _handles(transformer: TypeTransformer[Any], annotation: Any) -> bool:
    return not isinstance(transformer, BuiltinTransformer) or transformer.handles(annotation)


registry = TypeRegistry()
"""The registry of this process."""

adapter_for = registry.adapter_for
"""Return the adapter of an annotation, see `TypeRegistry.adapter_for`."""
