"""Adapter of ``Union``, ``X | Y`` and ``Optional``."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from flytemp.literals.adapters.base import Adapter, Fit
from flytemp.literals.check import check_within
from flytemp.literals.mismatch import Refused
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import Json, LiteralType, UnionType
from flytemp.literals.unions import VALUE, is_plain, is_tagged, plain_variant, tagged, variant_index

_KINDS = "boolean integer float string datetime date duration bytes enum list tuple map struct file directory encoded any"
_ORDER = {kind: place for place, kind in enumerate([*_KINDS.split(), "union", "none"])}


class UnionAdapter(Adapter):
    """Adapter of a union. The order of its variants does not depend on the order in the annotation.

    Python treats ``int | str`` and ``str | int`` as equal, and its caches exchange them, so the written order cannot number
    the variants.
    """

    kind = "union"

    def __init__(self, variants: list[Adapter]) -> None:
        self.variants = tuple(sorted(variants, key=lambda variant: (_ORDER[variant.kind], variant.label)))
        self.label = " | ".join(variant.label for variant in self.variants)
        optional = [variant for variant in self.variants if variant.kind != "none"]
        self._only = optional[0] if len(optional) == 1 else None

    @cached_property
    def _union(self) -> UnionType:
        described = self.describe(())
        assert isinstance(described, UnionType)
        return described

    @cached_property
    def _plain(self) -> bool:
        return is_plain(self._union)

    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        return UnionType(variants=tuple(variant.describe(around) for variant in self.variants))

    def fits(self, value: Any) -> Fit:
        return max(variant.fits(value) for variant in self.variants)

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        if self._only is not None and self._plain:
            return None if value is None else self._only.encode(value, files)
        index = self._choose(value)
        encoded = self.variants[index].encode(value, files)
        return encoded if self._plain else tagged(index, encoded)

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        if self._plain:
            index = plain_variant(self._union, literal)
            if index is None:
                literal = check_within(literal, self._union)
                index = plain_variant(self._union, literal)
                assert index is not None
            return self.variants[index].decode(literal, files)
        if not is_tagged(literal):
            literal = check_within(literal, self._union)
        index = variant_index(self._union, literal)
        try:
            return self.variants[index].decode(literal[VALUE], files)
        except Refused as refused:
            raise refused.within(VALUE) from refused.__cause__

    def _choose(self, value: Any) -> int:
        fits = [variant.fits(value) for variant in self.variants]
        best = max(fits)
        if best is Fit.NO:
            raise self._explain(value)
        candidates = [index for index, fit in enumerate(fits) if fit is best]
        if len(candidates) > 1:
            # If all have the same JSON, such as an empty list, they decode to equal values.
            forms = [self.variants[index].encode(value, None) for index in candidates]
            if best is Fit.LOOSE or any(form != forms[0] for form in forms[1:]):
                labels = " and ".join(self.variants[index].label for index in candidates)
                raise Refused(
                    f"Ambiguous choice of variant for union type {self.label}. Both {labels} match",
                    hint="use types whose values differ, or pass a value of exactly one of the declared types",
                )
        return candidates[0]

    def _explain(self, value: Any) -> Refused:
        """Return the error of the only variant that nearly fits, if there is one, else the error of the union."""
        python = {"list": list, "map": dict}
        near = [each for each in self.variants if each.kind in python and isinstance(value, python[each.kind])]
        if len(near) == 1:
            try:
                near[0].encode(value, None)
            except Refused as refused:
                return refused
        return self.mismatch(value)
