"""JSON payloads as Temporal's own converters write them, except that the keys of maps keep their order.

A Python dict is ordered, and a task may depend on that: it must receive the same order from Temporal as in a local run. The
encoding stays ``json/plain``, so every SDK and the `temporal` CLI read and write the same payloads.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    AdvancedJSONEncoder,
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)


class OrderedJSONPayloadConverter(JSONPlainPayloadConverter):
    """`JSONPlainPayloadConverter` that does not sort keys."""

    def to_payload(self, value: Any) -> Payload | None:
        """Return ``value`` as a JSON payload; see the base class."""
        data = json.dumps(value, cls=AdvancedJSONEncoder, separators=(",", ":"))
        return Payload(metadata={"encoding": self.encoding.encode()}, data=data.encode())


class OrderedPayloadConverter(CompositePayloadConverter):
    """Temporal's default converters, with `OrderedJSONPayloadConverter` for JSON."""

    def __init__(self) -> None:
        super().__init__(
            *(
                OrderedJSONPayloadConverter() if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


DATA_CONVERTER = dataclasses.replace(DataConverter.default, payload_converter_class=OrderedPayloadConverter)
"""Data converter of every Temporal client and worker of flytemp."""
