"""Spec: the documents that the compiler writes, the registry stores and the engine runs."""
