"""Commands whose flags are made from the interface of what they are given: `launch NAME`, `run FILE [NAME]`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from flytemp_cli.failures import InputUsageError
from flytemp_cli.inputs import InputOption, given_texts, input_options
from flytemp_cli.lazy import Command
from flytemp_cli.options import Session, global_options, session_of

if TYPE_CHECKING:
    from flytemp.spec.models import Interface


@dataclass(frozen=True, slots=True)
class Target:
    """What the leading words of the command line named. ``value`` is the command's own."""

    title: str
    summary: str
    interface: Interface
    value: Any


Load = Callable[[Session, Sequence[str], Mapping[str, Any]], Target]
"""From the leading words and the options (as far as they can be told before the inputs are known) to the target."""

Run = Callable[[Session, Target, dict[str, str], Mapping[str, Any]], int]
"""Runs the command: session, target, texts of the input flags, options; returns the exit code."""


class TargetCommand(Command):
    """A command that learns its input flags from its leading words.

    It parses twice. First the leading words are found and loaded; then a command with the target's inputs as options
    parses the whole line, strictly.

    Args:
        words: the metavariables of the leading words.
        required: how many of them must be there.
    """

    def __init__(
        self,
        name: str,
        *,
        words: Sequence[str],
        required: int,
        options: Callable[[], list[click.Parameter]],
        load: Load,
        run: Run,
        **more: Any,
    ) -> None:
        super().__init__(name, params=[*_arguments(words, required), *options()], callback=_never, **more)
        self.words = words
        self.required = required
        self.make_options = options
        self.load = load
        self.run = run

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        resilient = extra.get("resilient_parsing") or (parent is not None and parent.resilient_parsing)
        found, stopped_at = self._leading_words(args)
        if resilient or len(found) < self.required:
            if stopped_at is not None and not resilient:
                first = self.words[len(found)]
                raise InputUsageError(
                    f"{stopped_at} comes before {first}",
                    hint=f"inputs come after {first}: flytemp {self.name} {' '.join(self.words)} {stopped_at} …",
                )
            return super().make_context(info_name, args, parent, **extra)
        return self._bind(found, args, parent).make_context(info_name, args, parent, **extra)

    def _leading_words(self, args: Sequence[str]) -> tuple[list[str], str | None]:
        """The words before the first flag that is not an option of ours, and that flag."""
        arity = {
            flag: 0 if isinstance(param, click.Option) and (param.is_flag or param.count) else 1
            for param in self.get_params(click.Context(self))
            for flag in (*param.opts, *param.secondary_opts)
        }
        found: list[str] = []
        rest = iter(args)
        for word in rest:
            if len(found) == len(self.words):
                break
            if word == "-" or not word.startswith("-"):
                found.append(word)
                continue
            flag, equals, _ = word.partition("=")
            if flag not in arity and word[:2] in arity and not word.startswith("--"):
                continue  # -ojson
            if flag not in arity:
                return found, word
            if arity[flag] and not equals:
                next(rest, None)
        return found, None

    def _bind(self, found: list[str], args: list[str], parent: click.Context | None) -> click.Command:
        """The command with the target's inputs among its options."""
        session = session_of(parent) if parent is not None else Session()
        scratch = copy.deepcopy(session)
        early = click.Command(
            self.name,
            params=[*_arguments(self.words, 0), *self.make_options(), *global_options()],
            add_help_option=False,
            context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "resilient_parsing": True},
        )
        options = early.make_context(self.name, list(args), obj=scratch).params
        # What an error looks like must not depend on whether it is found before or after the second parse.
        session.verbose, session.color = scratch.verbose, scratch.color
        target = self.load(scratch, found, options)
        return _Bound(self, target)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return _usage(self)


def _usage(command: TargetCommand) -> list[str]:
    optional = [f"[{word}]" for word in command.words[command.required :]]
    return [*command.words[: command.required], *optional, "[--INPUT VALUE]...", "[OPTIONS]"]


class _Bound(Command):
    """A `TargetCommand` whose target is known."""

    def __init__(self, command: TargetCommand, target: Target) -> None:
        own = command.make_options()
        taken = {flag for param in (*own, *global_options()) for flag in (*param.opts, *param.secondary_opts)}
        inputs = input_options(target.interface, taken | {"--help"})
        super().__init__(command.name, params=[*_arguments(command.words, command.required), *own, *inputs], callback=_never)
        self.help = f"{target.title}\n\n{target.summary}".strip()
        self._target = target
        self._command = command

    def invoke(self, ctx: click.Context) -> int:
        return self._command.run(session_of(ctx), self._target, given_texts(ctx), ctx.params)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            from flytemp_cli.inputs import unknown_input

            if error.option_name.startswith("--"):
                raise unknown_input(error.option_name.removeprefix("--"), self._target.interface) from error
            raise

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return _usage(self._command)

    def is_listed(self, param: click.Parameter) -> bool:
        return super().is_listed(param) and not isinstance(param, InputOption)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [param.get_help_record(ctx) for param in self.params if isinstance(param, InputOption)]
        with formatter.section("Inputs"):
            formatter.write_dl([row for row in rows if row is not None] or [("none", "")])
        super().format_options(ctx, formatter)


def _arguments(words: Sequence[str], required: int) -> list[click.Parameter]:
    return [click.Argument([f"word_{index}"], metavar=word, required=index < required) for index, word in enumerate(words)]


def _never() -> None:
    raise AssertionError("a command whose target is not loaded must not run")
