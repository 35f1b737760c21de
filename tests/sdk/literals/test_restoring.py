"""Values of classes whose constructors run code: what arrives equals what was sent."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from literal_samples import BigDatum, Datum, Even, Lower
from restored_samples import (
    Checked,
    Computed,
    Counted,
    Derived,
    Described,
    GenericCounted,
    Increased,
    Limits,
    MoreOptions,
    Numbers,
    Options,
    OwnInit,
    Pair,
    Pattern,
    Plain,
    Private,
    PrivateData,
    Renewed,
    Split,
    StoredElsewhere,
    Unset,
    Validated,
    WithSlots,
)

from flytemp.errors import TypeMismatch
from flytemp.literals.check import check_external, check_literal
from flytemp.literals.convert import from_literal, literal_type, to_literal
from flytemp.literals.marks import MARK, without_marks


def sent(value: Any, annotation: Any, hops: int = 2) -> Any:
    """Return the value after it was passed from task to task."""
    for _ in range(hops):
        literal = json.loads(json.dumps(to_literal(value, annotation)))
        assert check_literal(literal, literal_type(annotation)) == literal
        value = from_literal(literal, annotation)
    return value


def computed() -> Computed:
    value = Computed(3)
    value.later.append(4)
    object.__setattr__(value, "double", 7)
    return value


def unset() -> Unset:
    value = Unset(1)
    value.later = 5
    return value


def described() -> Described:
    value = Described("a b")
    value._parts.append("c")
    assert value.length == 3
    return value


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (Counted(1), Counted),
        ({"a": [Counted(1)]}, dict[str, list[Counted | None]]),
        (computed(), Computed),
        (unset(), Unset),
        (Unset(1), Unset),
        (described(), Described),
        (Pattern("a+"), Pattern),
        (Derived(number=1, parts=[Plain(2)]), Derived),
        (WithSlots(2), WithSlots),
        (OwnInit("abc"), OwnInit),
        (StoredElsewhere(4), StoredElsewhere),
        (GenericCounted(1), GenericCounted[int]),
        (Validated(1), Validated),
        (Split(words="a b"), Split),  # type: ignore[arg-type]
        (Increased(number=1, numbers=[1]), Increased),
        (Checked(number=1), Checked),
        (PrivateData(number=1), PrivateData),
        (Options(), Options),
        (MoreOptions(size=2), MoreOptions),
        (Numbers([1, 2]), Numbers),
        (Pair(Counted(1), Options()), Pair),
        (Renewed(Counted(1), Options()), Renewed),
        (Limits(), Limits),
        (Limits(name="a"), Limits),
    ],
    ids=lambda value: (value if isinstance(value, type) else type(value)).__name__,
)
def test_value_that_arrives_equals_the_value_that_was_sent(value: Any, annotation: Any) -> None:
    assert sent(value, annotation) == value


def test_fields_and_attributes_outside_of_comparisons_arrive() -> None:
    assert sent(computed(), Computed).double == 7
    assert sent(unset(), Unset).later == 5
    assert not hasattr(sent(Unset(1), Unset), "later")
    assert sent(described(), Described)._parts == ["a", "b", "c"]
    assert "length" not in vars(sent(described(), Described))
    assert sent(WithSlots(2), WithSlots)._hidden == 2


def test_private_attributes_of_a_model_arrive() -> None:
    value = PrivateData(number=1)
    value._times.append((1, "a"))
    arrived = sent(value, PrivateData)
    assert (arrived._count, arrived._times) == (1.0, [(1, "a")])


def test_fields_that_were_not_set_stay_unset() -> None:
    arrived = sent(MoreOptions(size=2), MoreOptions)
    assert arrived.model_dump(exclude_unset=True) == {"size": 2}
    assert sent(Options(size=1), Options).model_fields_set == {"size"}


def test_attribute_without_a_literal_is_created_by_the_constructor() -> None:
    assert sent(Pattern("a+"), Pattern)._pattern.fullmatch("aa")
    arrived = sent(Private(theNumber=1), Private)
    assert (arrived.number, arrived._count) == (1, 0)


def test_attribute_that_would_be_lost_is_refused() -> None:
    value = Private(theNumber=1)
    value._count = 3  # the constructor, which is needed for the lock, would set 0
    with pytest.raises(TypeMismatch, match="'_lock' of Private"):
        to_literal(value, Private)
    plain = Plain(1)
    plain.extra = object()  # type: ignore[attr-defined]
    with pytest.raises(TypeMismatch, match="'extra' of Plain"):
        to_literal(plain, Plain)


def test_changing_root_model_is_refused_by_its_producer() -> None:
    value = Numbers([1, 2])
    value.root.reverse()
    with pytest.raises(TypeMismatch, match="Numbers"):
        to_literal(value, Numbers)


@pytest.mark.parametrize(
    ("literal", "annotation", "value"),
    [
        ({"number": 1}, Counted, Counted(1)),
        ({"number": 3}, Computed, Computed(3)),
        ({"number": 3, "double": 6, "later": []}, Computed, Computed(3)),
        ({"number": 1}, Checked, Checked(number=1)),
        ({"number": 1}, PrivateData, PrivateData(number=1)),
        ({"number": 1, "parts": [{"number": 2}]}, Derived, Derived(number=1, parts=[Plain(2)])),
    ],
    ids=str,
)
def test_json_of_a_launch_is_passed_to_the_constructor(literal: Any, annotation: Any, value: Any) -> None:
    assert from_literal(check_external(literal, literal_type(annotation)), annotation) == value


@pytest.mark.parametrize(
    ("literal", "annotation"),
    [
        ({"number": 3}, Even),
        ({"text": "A"}, Lower),
        ({"text": "A", MARK: {"of": ["Lower"]}}, Lower),
        ({"number": 3, MARK: {"of": ["Even"]}}, Even),
        ({"number": 3, "double": 5, "later": [], MARK: {"of": ["Computed"]}}, Computed),
        ({"number": 1, MARK: {"of": ["PrivateData"], "attributes": {"_count": 7.0}}}, PrivateData),
        (to_literal(Counted(1), Counted), Counted),
        (to_literal(Split(words="a b"), Split), Split),  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_class_validates_the_input_of_a_launch_and_must_not_change_a_marked_value(literal: Any, annotation: Any) -> None:
    checked = check_external(literal, literal_type(annotation))
    with pytest.raises(TypeMismatch):
        from_literal(checked, annotation)


def test_attribute_that_was_changed_after_the_constructor_is_not_lost() -> None:
    value = Pattern("a+")
    value._pattern = re.compile("b")
    with pytest.raises(TypeMismatch, match="Pattern"):
        to_literal(value, Pattern)


def test_none_is_accepted_for_a_field_with_this_default() -> None:
    literal = check_external({"name": None, "owner": None}, literal_type(Limits))
    assert from_literal(literal, Limits).model_dump(exclude={"identity"}) == {"name": None, "owner": None}


def test_launched_value_arrives_if_its_class_does_not_change_it() -> None:
    for value in (Limits(), Computed(3), MoreOptions(size=2), Described("a b"), PrivateData(number=1), BigDatum(1)):
        annotation = type(value)
        assert from_literal(check_external(to_literal(value, annotation), literal_type(annotation)), annotation) == value


def test_mark_of_another_class_has_no_effect() -> None:
    literal = {**to_literal(Counted(1), Counted), MARK: {"of": ["Other"]}}
    assert from_literal(check_literal(literal, literal_type(Counted)), Counted) == Counted(2)


def test_untyped_value_has_no_marks() -> None:
    literal = to_literal([Counted(1)], list[Counted])
    assert MARK in literal[0]
    assert check_literal(literal, literal_type(list)) == [{"number": 2}]
    assert from_literal(literal, list) == without_marks(literal) == [{"number": 2}]


def test_plain_classes_have_no_marks() -> None:
    assert to_literal(Plain(1), Plain) == {"number": 1}
    assert to_literal(Datum(1, "a"), Datum) == {"x": 1, "y": "a", "z": {}}
    assert to_literal(Options(size=1, names=[]), Options) == {"size": 1, "names": []}


@settings(deadline=None, max_examples=50)
@given(
    st.recursive(
        st.builds(Counted, st.integers(-100, 100)) | st.builds(Plain, st.integers(-100, 100)),
        lambda inner: st.builds(GenericCounted, inner, st.integers(0, 9)),
        max_leaves=4,
    )
)
def test_nested_values_arrive_unchanged(value: Any) -> None:
    annotation: Any = Counted | Plain
    part = value
    while isinstance(part, GenericCounted):
        annotation = GenericCounted[annotation]
        part = part.item
    assert sent(value, annotation) == value
