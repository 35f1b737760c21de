"""The registry: immutable, versioned documents in the store."""
