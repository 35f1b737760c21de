"""Errors that a task may raise, under flytekit's names: `flytemp.exceptions.user`, `flytemp.exceptions.system`."""
