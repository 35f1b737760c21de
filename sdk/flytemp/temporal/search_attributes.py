"""flytemp's search attributes in a Temporal namespace: list those that are missing, and register them."""

from __future__ import annotations

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client as TemporalClient
from temporalio.service import RPCError, RPCStatusCode

from flytemp.errors import ConfigError
from flytemp.protocol.search_attributes import KEYWORD_LISTS, KEYWORDS


async def missing_search_attributes(temporal: TemporalClient) -> dict[str, IndexedValueType.ValueType]:
    """Return flytemp's search attributes that the namespace lacks or has with another type, with their types.

    Raises:
        RPCError: the namespace does not let this client list search attributes, or Temporal does not answer.
    """
    listed = await temporal.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=temporal.namespace)
    )
    wanted = dict.fromkeys(KEYWORDS, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
    wanted |= dict.fromkeys(KEYWORD_LISTS, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST)
    return {name: kind for name, kind in wanted.items() if listed.custom_attributes.get(name) != kind}


async def add_search_attributes(temporal: TemporalClient) -> list[str]:
    """Register the missing search attributes of flytemp and return their names.

    Raises:
        ConfigError: a name is taken by an attribute of another type.
        RPCError: Temporal refuses the request or does not answer.
    """
    missing = await missing_search_attributes(temporal)
    if not missing:
        return []
    request = AddSearchAttributesRequest(namespace=temporal.namespace, search_attributes=missing)
    try:
        await temporal.operator_service.add_search_attributes(request)
    except RPCError as error:
        left = await missing_search_attributes(temporal)
        if left and error.status in (RPCStatusCode.ALREADY_EXISTS, RPCStatusCode.INVALID_ARGUMENT):
            raise ConfigError(
                f"cannot register the search attributes {', '.join(left)} in namespace {temporal.namespace}: {error.message}",
                hint="one may exist with another type; temporal operator search-attribute list shows all types",
            ) from error
        if left:
            raise
        return []  # another process registered them meanwhile
    return list(missing)
