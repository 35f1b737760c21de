"""The registry: immutable, versioned documents in the object store, and which version is the latest."""

from flytemp.registry.entries import EntitySummary, RegistrationEntry
from flytemp.registry.registry import Registry

__all__ = ["EntitySummary", "RegistrationEntry", "Registry"]
