"""Kubernetes quantities, such as ``500m``, ``2`` and ``1.5Gi``."""

from __future__ import annotations

import re
from decimal import Decimal

from flytemp.authoring.errors import SettingsError

_FORM = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]{1,3})?")
_FACTORS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}
_BYTE_UNITS = frozenset(_FACTORS) - {"", "n", "u", "m"}  # multiples of a byte
_MAX_AMOUNT = 2**63 - 1  # the largest amount that Kubernetes represents
_MAX_CHARACTERS = 64


def quantity(value: object, what: str) -> str:
    """Return ``value`` as the text of a quantity.

    Args:
        value: a number of zero or more, or a text.
        what: the name of the setting in messages.

    Raises:
        SettingsError: ``value`` is not a quantity.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise SettingsError(f"{what} must be a number or text such as '500m' or '2Gi', not {value!r}")
    if isinstance(value, int) and abs(value) > _MAX_AMOUNT:
        raise SettingsError(f"{what} is larger than Kubernetes' maximum of 2^63-1", hint="request less")
    text = value.strip() if isinstance(value, str) else format(Decimal(str(value)), "f")
    if not is_quantity(text):
        raise SettingsError(
            f"{what} {repr(value)[:_MAX_CHARACTERS]} is not a Kubernetes quantity",
            hint="a number with an optional suffix, at most 2^63-1: 500m, 2, 1.5Gi, 128M",
        )
    return text


def is_quantity(text: str) -> bool:
    """Return whether a text is a Kubernetes quantity of at most 2**63 - 1."""
    return len(text) <= _MAX_CHARACTERS and _FORM.fullmatch(text) is not None and amount(text) <= _MAX_AMOUNT


def byte_quantity(value: object, what: str) -> str:
    """Return ``value`` as the text of a quantity of bytes; see `quantity`.

    Raises:
        SettingsError: ``value`` is not a quantity, or a fraction of a byte, such as 0.5 or "500m".
    """
    text = quantity(value, what)
    if is_fraction_of_a_byte(text):
        hint = f"a number without a unit is in bytes; add a unit, as in {what}='500Mi'"
        raise SettingsError(f"{what} {value!r} is a fraction of a byte", hint=hint)
    return text


def is_fraction_of_a_byte(text: str) -> bool:
    """Return True if a quantity of bytes is in bytes or smaller units, and not whole."""
    match = _FORM.fullmatch(text)
    return match is not None and match.group(2) not in _BYTE_UNITS and amount(text) % 1 != 0


def amount(text: str) -> Decimal:
    """Return the number that a quantity represents; ``text`` was checked by `quantity`."""
    match = _FORM.fullmatch(text)
    assert match is not None
    number, suffix = match.group(1), match.group(2) or ""
    if suffix[:1] in ("e", "E") and len(suffix) > 1 and suffix != "Ei":
        return Decimal(number + suffix)
    return Decimal(number) * _FACTORS[suffix]
