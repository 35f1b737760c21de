"""Specs written as YAML or JSON: read, checked and turned into the documents that a Python module would give."""
