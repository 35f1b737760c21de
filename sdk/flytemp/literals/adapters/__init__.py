"""Adapters: the type of one annotation, and the conversion of its values to JSON and back."""
