"""Commands whose flags depend on the interface of their target: `launch NAME`, `run FILE [NAME]`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from flytemp_cli.completion import Complete, input_flags
from flytemp_cli.error_report import InputUsageError
from flytemp_cli.inputs import InputOption, given_texts, input_options
from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import SETTING_OPTIONS, global_options
from flytemp_cli.session import Session, session_of

if TYPE_CHECKING:
    from flytemp.spec.models import Interface


@dataclass(frozen=True, slots=True)
class Target:
    """Entity named by the leading words of the command line. ``value`` is private to the command."""

    title: str
    summary: str
    interface: Interface
    value: Any


Load = Callable[[Session, Sequence[str], Mapping[str, Any]], Target]
"""Loads the target from the leading words and the options that can be parsed before the inputs are known."""

Run = Callable[[Session, Target, dict[str, str], Mapping[str, Any]], int]
"""Runs the command with session, target, texts of the input flags and options; returns the exit code."""


class LaunchOption(click.Option):
    """Option that an input of the same name replaces.

    After the target, ``--name`` is then the input. Before the target, ``--name`` is the option; ``--launch.name`` is the
    option everywhere. An input replaces a global option in the same way, except the options that locate a registered
    target; an input with the name of such an option is given as ``--input.NAME``.
    """

    def __init__(self, flag: str, **more: Any) -> None:
        plain = [part.removeprefix("--") for part in flag.split("/")]
        explicit = "/".join(f"--launch.{part}" for part in plain)
        super().__init__([flag, explicit, plain[0].replace("-", "_")], **more)

    def remove_flags(self, flags: Collection[str]) -> list[str]:
        """Remove the flags that inputs use, and return them."""
        removed = [flag for flag in (*self.opts, *self.secondary_opts) if flag in flags]
        self.opts = [flag for flag in self.opts if flag not in removed]
        self.secondary_opts = [flag for flag in self.secondary_opts if flag not in removed]
        return removed

    def get_error_hint(self, ctx: click.Context | None) -> str:
        return f"'{self.opts[0]}'"

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        shown = copy.copy(self)
        shown.opts = [self.opts[0]]
        shown.secondary_opts = self.secondary_opts[:1]
        return click.Option.get_help_record(shown, ctx)


@dataclass(slots=True)
class _Scan:
    """Result of scanning a command line.

    Attributes:
        words: the leading words.
        stopped_at: the first unknown flag before the words were complete.
        early_flags: the positions of the flags before the first word.
    """

    words: list[str] = field(default_factory=list)
    stopped_at: str | None = None
    early_flags: list[int] = field(default_factory=list)


class TargetCommand(Command):
    """Command whose input flags depend on its leading words.

    The command line is parsed twice. The first pass finds the leading words and loads the target. The second pass parses the
    complete line strictly, with the target's inputs as options.

    Args:
        words: the metavariables of the leading words, with the shell completion of each.
        required: the number of required words.
        options: returns new option objects.
        load: loads the target that the words name.
        run: runs the command.
        completes_inputs: complete the flags of inputs; only for commands whose first word names a registered entity.
    """

    def __init__(
        self,
        name: str,
        *,
        words: Mapping[str, Complete | None],
        required: int,
        options: Callable[[], list[click.Parameter]],
        load: Load,
        run: Run,
        completes_inputs: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(name, params=[*_arguments(words, required), *options()], callback=_unreachable, **more)
        self.words = tuple(words)
        self.completions = words
        self.required = required
        self.make_options = options
        self.load = load
        self.run = run
        self.completes_inputs = completes_inputs

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        resilient = extra.get("resilient_parsing") or (parent is not None and parent.resilient_parsing)
        scan = self._scan(args, parent)
        if resilient or len(scan.words) < self.required:
            if scan.stopped_at is not None and not resilient:
                first = self.words[len(scan.words)]
                raise InputUsageError(
                    f"{scan.stopped_at} must not come before {first}",
                    hint=f"put inputs after {first}: flytemp {self.name} {' '.join(self.words)} {scan.stopped_at} …",
                )
            return super().make_context(info_name, args, parent, **extra)
        bound = self._bind(scan, args, parent)
        return bound.make_context(info_name, self._explicit(args, scan.early_flags), parent, **extra)

    def _scan(self, args: Sequence[str], parent: click.Context | None) -> _Scan:
        arity = {
            flag: 0 if isinstance(param, click.Option) and (param.is_flag or param.count) else 1
            for param in self.get_params(click.Context(self, parent=parent))
            for flag in (*param.opts, *param.secondary_opts)
        }
        scan = _Scan()
        rest = iter(enumerate(args))
        for index, word in rest:
            if len(scan.words) == len(self.words):
                break
            if word == "-" or not word.startswith("-"):
                scan.words.append(word)
                continue
            flag, equals, _ = word.partition("=")
            if not word.startswith("--") and word[:2] in arity and word not in arity:
                continue  # a short option with its value: -ojson
            if flag not in arity:
                scan.stopped_at = word
                break
            if not scan.words:
                scan.early_flags.append(index)
            if arity[flag] and not equals:
                next(rest, None)
        return scan

    def _explicit(self, args: Sequence[str], places: Sequence[int]) -> list[str]:
        """Return ``args`` with explicit forms of the options at ``places``, without the global options that `_bind` read."""
        own_flags = {
            flag
            for param in self.params
            if isinstance(param, LaunchOption)
            for flag in (*param.opts, *param.secondary_opts)
            if not flag.startswith("--launch.")
        }
        explicit = list(args)
        for place in places:
            flag, equals, value = args[place].partition("=")
            if flag in own_flags:
                explicit[place] = f"--launch.{flag.removeprefix('--')}{equals}{value}"
        removed = _global_places(args, places)
        return [word for place, word in enumerate(explicit) if place not in removed]

    def _bind(self, scan: _Scan, args: list[str], parent: click.Context | None) -> click.Command:
        """Return the command with the target's inputs as options."""
        session = session_of(parent) if parent is not None else Session()
        before_target = [args[place] for place in _global_places(args, scan.early_flags)]
        click.Command(self.name, params=[*global_options()]).make_context(self.name, before_target, obj=session)
        before = copy.deepcopy(session)
        scratch = copy.deepcopy(session)
        early = click.Command(
            self.name,
            params=[*_arguments(self.completions, 0), *self.make_options(), *global_options()],
            add_help_option=False,
            context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "resilient_parsing": True},
        )
        options = early.make_context(self.name, list(args), obj=scratch).params
        # The form of an error must not depend on which of the two passes finds the error.
        session.verbose, session.color = scratch.verbose, scratch.color
        bound = _Bound(self, self.load(scratch, scan.words, options))
        if "--color" in bound.input_flags:
            session.color = before.color
        if "--verbose" in bound.input_flags:
            session.verbose = before.verbose
        return bound

    @property
    def reserved_flags(self) -> set[str]:
        """Flags that no input can replace: the options that locate a registered target."""
        return {"--help", *(f"--{name}" for name in SETTING_OPTIONS if self.completes_inputs)}

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        # --launch.NAME is only needed for a clash of names; offering it would double the list.
        explicit = incomplete.startswith("--launch.")
        options = [
            one for one in super().shell_complete(ctx, incomplete) if explicit or not str(one.value).startswith("--launch.")
        ]
        name = ctx.params.get("word_0")
        if not incomplete.startswith("--") or name is None or not self.completes_inputs:
            return options
        flags = [CompletionItem(flag, help="input") for flag in input_flags(session_of(ctx), name)]
        return [*(flag for flag in flags if flag.value.startswith(incomplete)), *options]

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return _usage(self)


def _usage(command: TargetCommand) -> list[str]:
    optional = [f"[{word}]" for word in command.words[command.required :]]
    return [*command.words[: command.required], *optional, "[--INPUT VALUE]...", "[OPTIONS]"]


class _Bound(Command):
    """`TargetCommand` with a loaded target."""

    def __init__(self, command: TargetCommand, target: Target) -> None:
        own = command.make_options()
        replaceable = [param for param in own if isinstance(param, LaunchOption)]
        reserved = [param for param in own if param not in replaceable]
        taken = {flag for param in reserved for flag in (*param.opts, *param.secondary_opts)}
        inputs = input_options(target.interface, taken | command.reserved_flags)
        flags = {flag: option.variable.name for option in inputs for flag in option.opts}
        self.input_flags = frozenset(flags)
        self._shadowed = [(flag, flags[flag], param.name) for param in replaceable for flag in param.remove_flags(flags)]
        super().__init__(
            command.name,
            params=[*_arguments(command.completions, command.required), *own, *inputs, *_short_options(self.input_flags)],
            callback=_unreachable,
        )
        self.help = f"{target.title}\n\n{target.summary}".strip()
        self._target = target
        self._command = command

    def invoke(self, ctx: click.Context) -> int:
        for flag, name, option_name in self._shadowed:
            if name in given_texts(ctx) and not ctx.params.get(option_name or ""):
                option = f"--launch.{flag.removeprefix('--')}"
                session_of(ctx).output().note(f"note: {flag} is the input {name} here; the option is {option}")
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


def _short_options(flags: Collection[str]) -> list[click.Option]:
    """Return the global options whose long flag an input replaces, with their short flags (-o, -v) only."""
    replaced = [option for option in global_options() if set(option.opts) & set(flags)]
    for option in replaced:
        option.opts = [flag for flag in option.opts if flag not in flags]
    return [option for option in replaced if option.opts]


def _global_places(args: Sequence[str], places: Sequence[int]) -> list[int]:
    """Return the positions of global options and their values among the flags at ``places``."""
    known = {flag: option for option in global_options() for flag in option.opts}
    found = []
    for place in places:
        flag, equals, _ = args[place].partition("=")
        if flag in known:
            found += [place] if equals or known[flag].is_flag or known[flag].count else [place, place + 1]
    return [place for place in found if place < len(args)]


def _arguments(words: Mapping[str, Complete | None], required: int) -> list[click.Parameter]:
    return [
        click.Argument(
            [f"word_{index}"],
            metavar=word,
            required=index < required,
            type=str if complete else click.Path(),
            shell_complete=complete,
        )
        for index, (word, complete) in enumerate(words.items())
    ]


def _unreachable() -> None:
    raise AssertionError("a command whose target is not loaded must not run")
