"""Compiler of programs: from a user's modules or YAML files to validated documents.

>>> from flytemp.compiler import compile_entity, compile_program, content_version, find_entity, load_program
"""

from flytemp.compiler.assemble import compile_entity
from flytemp.compiler.discover import Entity, Program, load_program
from flytemp.compiler.documents import compile_closure, compile_program, content_version
from flytemp.compiler.lookup import find_entity
from flytemp.compiler.warnings import code_warnings, program_warnings

__all__ = [
    "Entity",
    "Program",
    "code_warnings",
    "compile_closure",
    "compile_entity",
    "compile_program",
    "content_version",
    "find_entity",
    "load_program",
    "program_warnings",
]
