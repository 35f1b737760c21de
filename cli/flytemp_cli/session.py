"""State of one command line: the global options, the settings and the printer that follow from them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from flytemp.client.handle import ExecutionHandle
    from flytemp.config import Settings
    from flytemp_cli.output import Output

T = TypeVar("T")


@dataclass
class Session:
    """Values of the global options of one command line.

    Attributes:
        overrides: settings given as options; they take precedence over environment and files.
        notes: remarks made while the settings were loaded; they explain some connection errors.
    """

    output_format: str = "table"
    color: str = "auto"
    verbose: bool = False
    overrides: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def settings(self, more: Mapping[str, str] | None = None) -> Settings:
        """Return the effective settings; ``more`` are further overrides from the command's own options.

        Raises:
            ConfigError: the settings contradict each other or cannot be read.
        """
        from flytemp.config import load_settings

        settings = load_settings(overrides={**self.overrides, **(more or {})})
        self.notes = settings.notes
        return settings

    def output(self) -> Output:
        """Return the printer of this command."""
        from flytemp_cli.output import Output

        return Output(self.output_format, self.color, verbose=self.verbose)

    def with_execution(self, name: str, call: Callable[[ExecutionHandle[Any]], Awaitable[T]]) -> T:
        """Connect to Temporal, find the execution ``name``, and return the result of ``call`` on its handle.

        Raises:
            FlytempError: any error of the client or of ``call``.
        """
        return asyncio.run(self._with_execution(name, call))

    async def _with_execution(self, name: str, call: Callable[[ExecutionHandle[Any]], Awaitable[T]]) -> T:
        from flytemp.client.client import Client

        client = await Client.connect(self.settings())
        try:
            return await call(await client.find(name))
        finally:
            await client.close()


def session_of(ctx: click.Context) -> Session:
    """Return the session of a command line."""
    session = ctx.ensure_object(Session)
    assert isinstance(session, Session)
    return session


pass_session = click.make_pass_decorator(Session, ensure=True)
"""Decorator that passes the session as the first argument of a command's function."""
