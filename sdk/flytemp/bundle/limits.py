"""Limits of code bundles, which apply when a bundle is packed and when it is unpacked."""

MAX_FILES = 20_000
MAX_DEPTH = 100  # parts of a path
MAX_PATH_BYTES = 1_024
