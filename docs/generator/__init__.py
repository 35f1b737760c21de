"""Generators of the reference pages, from docstrings, commands and models."""
