"""Registry: immutable, versioned documents in the object store, and the order of their versions."""

from flytemp.registry.entries import EntitySummary, RegistrationEntry
from flytemp.registry.registry import Registry

__all__ = ["EntitySummary", "RegistrationEntry", "Registry"]
