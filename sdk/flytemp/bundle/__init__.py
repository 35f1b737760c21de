"""Code bundles: pack a project deterministically, and extract it safely.

>>> from flytemp.bundle import extract, find_project_root, pack, store_bundle
"""

from flytemp.bundle.extraction import extract
from flytemp.bundle.packing import PackedBundle, find_project_root, pack, store_bundle

__all__ = ["PackedBundle", "extract", "find_project_root", "pack", "store_bundle"]
