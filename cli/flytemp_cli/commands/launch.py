"""`flytemp launch NAME`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from flytemp_cli.completion import complete_names
from flytemp_cli.launching import Start, launch, launch_options, literals_of, options_of, waits
from flytemp_cli.options import VERSION
from flytemp_cli.session import Session
from flytemp_cli.targets import Target, TargetCommand

if TYPE_CHECKING:
    from flytemp.store.object_store import ObjectStore


def _options() -> list[click.Parameter]:
    return [
        *launch_options(always_follows=False),
        # Not a LaunchOption: the version selects the entity, so it must be known before the inputs are.
        click.Option(["--version"], type=VERSION, metavar="VERSION", help="Version to launch [default: the latest]"),
    ]


def _load(session: Session, words: Sequence[str], options: Mapping[str, Any]) -> Target:
    from flytemp.launching.inputs import launch_interface
    from flytemp.launching.targets import find_target
    from flytemp.registry import Registry
    from flytemp.store import open_store
    from flytemp_cli.entity_view import docs_text

    settings = session.settings()
    entity, document = find_target(
        Registry(open_store(settings.store)),
        words[0],
        project=settings.project,
        domain=settings.domain,
        version=options.get("version"),
    )
    title = f"Launch {entity.kind.noun} {entity.name}, version {entity.version}."
    return Target(title, docs_text(document), launch_interface(document), (entity, document, words[0]))


def _run(session: Session, target: Target, texts: dict[str, str], given: Mapping[str, Any]) -> int:
    import asyncio

    from flytemp.client.uploads import ContentUploads
    from flytemp_cli.inputs import upload_inputs

    wait = waits(given)
    entity, document, word = target.value
    literals = literals_of(target.interface, texts, given["inputs"])

    def prepare(store: ObjectStore) -> Start:
        uploaded = upload_inputs(literals, target.interface, ContentUploads(store))
        requested_as = word if given["version"] is None else str(entity)
        return Start(entity, document, uploaded, given["name"], options_of(given), given["timeout"], requested_as)

    return asyncio.run(launch(session.settings(), prepare, session.output(), wait=wait, follow=bool(given["follow"])))


command = TargetCommand(
    "launch",
    words={"NAME": complete_names()},
    completes_inputs=True,
    required=1,
    options=_options,
    load=_load,
    run=_run,
    help=(
        "Start an execution of a registered launch plan, workflow or task, and print its name.\n\n"
        "NAME is a registered name, its last part if that is unique, or a URN. The inputs are flags: "
        "`flytemp launch NAME --help` shows them. Lists and structures are JSON, @file reads JSON from a file, "
        "a file input takes a path or a URI. If an input and an option have the same name, use --input.NAME for the input "
        "and --launch.NAME for the option.\n\n"
        "\b\nExamples:\n"
        "  flytemp launch my_wf --x 3\n"
        "  flytemp launch my_wf --inputs inputs.yaml --name nightly-1 --follow\n"
        "  flytemp launch wf:default:development:pkg.my_wf:v1 --wait --timeout 60 -o json"
    ),
)
