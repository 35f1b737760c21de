"""The ``flytemp`` command. Importing this package, or any command's module, loads nothing heavy."""
