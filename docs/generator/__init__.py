"""What the reference pages are generated from: docstrings, commands, models."""
