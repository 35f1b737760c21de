"""JSON for Temporal as Temporal's own converters write it, but with the keys of maps in their order.

A Python dict has an order, and tasks may rely on it: a run on Temporal must not differ there from a local one. The
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
    """`JSONPlainPayloadConverter` without its sorting of keys."""

    def to_payload(self, value: Any) -> Payload | None:
        """See the base class."""
        data = json.dumps(value, cls=AdvancedJSONEncoder, separators=(",", ":"))
        return Payload(metadata={"encoding": self.encoding.encode()}, data=data.encode())


class OrderedPayloadConverter(CompositePayloadConverter):
    """Temporal's default converters, with the ordered one for JSON."""

    def __init__(self) -> None:
        super().__init__(
            *(
                OrderedJSONPayloadConverter() if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


DATA_CONVERTER = dataclasses.replace(DataConverter.default, payload_converter_class=OrderedPayloadConverter)
"""What flytemp's clients and workers talk to Temporal with."""
