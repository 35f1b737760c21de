"""Kubernetes quantities: ``500m``, ``2``, ``1.5Gi``."""

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


def quantity(value: object, what: str) -> str:
    """``value`` as the text of a quantity.

    Raises:
        SettingsError: when it is no positive number and no text of a quantity; ``what`` names it.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise SettingsError(f"{what} must be a number or text such as '500m' or '2Gi', not {value!r}")
    text = value.strip() if isinstance(value, str) else format(Decimal(str(value)), "f")
    if not _FORM.fullmatch(text):
        raise SettingsError(
            f"{what} {value!r} is not a Kubernetes quantity", hint="a number with an optional suffix: 500m, 2, 1.5Gi, 128M"
        )
    return text


def amount(text: str) -> Decimal:
    """The number that a quantity's text (checked by `quantity`) stands for."""
    match = _FORM.fullmatch(text)
    assert match is not None
    number, suffix = match.group(1), match.group(2) or ""
    if suffix[:1] in ("e", "E") and len(suffix) > 1 and suffix != "Ei":
        return Decimal(number + suffix)
    return Decimal(number) * _FACTORS[suffix]
