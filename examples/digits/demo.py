"""Demo of the digits pipeline with the commands that a user types: `just demo`.

Starts `flytemp dev` (Temporal server, UI, store, worker) on free ports, registers and launches the pipeline, shows its
nodes while they run, prints the results, and stops everything again, also after a failure or Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flytemp_worker.devserver import spawn_tethered

HERE = Path(__file__).resolve().parent
STATE = HERE / ".flytemp"
LOG = STATE / "demo-dev.log"
START_SECONDS = 120
STOP_SECONDS = 60


class DemoFailed(Exception):
    """Error of a failed step; the message names the step and its log."""


class Terminated(BaseException):
    """Raised after TERM, to stop all processes as after Ctrl-C."""


def main() -> int:
    """Run the demo and return the exit code."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, raise_terminated)
    try:
        with running_dev() as dev:
            name = run_pipeline()
            show_results(name, dev)
            if arguments.keep:
                say("\neverything keeps running until Ctrl-C")
                signal.pause()
    except DemoFailed as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0 if arguments.keep else 130
    except Terminated:
        return 143
    say("\nstopped all processes")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the digits pipeline on a Temporal server of its own")
    parser.add_argument("--keep", action="store_true", help="keep the server, its UI and the worker until Ctrl-C")
    return parser.parse_args()


def raise_terminated(_number: int, _frame: object) -> None:
    """Handle a signal by `Terminated`, so that everything started is stopped."""
    raise Terminated


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def command_line(arguments: Sequence[str]) -> list[str]:
    """Return the command line of `flytemp` with this Python."""
    return [sys.executable, "-m", "flytemp_cli", *arguments]


def _environment() -> dict[str, str]:
    """Return the environment without the caller's connection and store, so that the demo uses its own server."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("FLYTEMP_", "TEMPORAL_"))}


@contextmanager
def running_dev() -> Iterator[dict[str, Any]]:
    """Run `flytemp dev` as a child process that ends with this process; yield its state file."""
    arguments = ["dev", "--port", "0", "--ui-port", "0"]
    say(f"$ flytemp {' '.join(arguments)}")
    STATE.mkdir(exist_ok=True)
    with LOG.open("ab") as log:
        child = spawn_tethered(
            command_line(arguments), cwd=HERE, env=_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield _wait_until_ready(child)
    finally:
        stop_child(child, STOP_SECONDS)


def _wait_until_ready(child: subprocess.Popen[bytes]) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise DemoFailed(f"`flytemp dev` ended with exit code {child.returncode}:\n{end_of_log(LOG)}")
        state = _state_of(child)
        if state is not None:
            return state
        time.sleep(0.1)
    raise DemoFailed(f"`flytemp dev` is not ready after {START_SECONDS} s:\n{end_of_log(LOG)}")


def _state_of(child: subprocess.Popen[bytes]) -> dict[str, Any] | None:
    """Return the state file of this child process; ignore the file of an earlier run."""
    try:
        state = json.loads((STATE / "dev.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and state.get("pid") == child.pid else None


def end_of_log(log: Path) -> str:
    """Return the last lines of a log file, and where all of it is."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
    return "\n".join([*lines, f"(all of it: {log})"])


def stop_child(child: subprocess.Popen[bytes], seconds: float) -> None:
    """Stop the child with TERM, so that it stops its worker and server; kill it after ``seconds``."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    try:
        child.wait(seconds)
    except BaseException:
        child.kill()
        child.wait()
        raise


def flytemp(*arguments: str) -> None:
    """Run a command on this terminal."""
    say(f"\n$ flytemp {' '.join(arguments)}")
    code = subprocess.run(command_line(arguments), cwd=HERE, env=_environment(), check=False).returncode
    if code != 0:
        raise DemoFailed(f"`flytemp {arguments[0]}` ended with exit code {code}; the worker's log is {LOG}")


def run_pipeline() -> str:
    """Register and launch; return the execution's name."""
    name = f"digits-{datetime.now():%Y%m%d-%H%M%S}"
    flytemp("register", "pipeline.py")
    flytemp("launch", "digits", "--name", name, "--test-share", "0.25", "--follow")
    return name


def show_results(name: str, dev: dict[str, Any]) -> None:
    """Print the results and the locations of the files."""
    arguments = ["get", "execution", name, "-o", "json"]
    text = subprocess.run(
        command_line(arguments), cwd=HERE, env=_environment(), check=True, stdout=subprocess.PIPE
    ).stdout
    execution = json.loads(text)
    outputs = execution["outputs"]
    metrics = outputs["metrics"]
    say("\nResults")
    say(f"  best model         {metrics['model']}")
    say(f"  test accuracy      {metrics['accuracy']:.4f} of {metrics['test_samples']} images")
    say(f"  macro F1           {metrics['macro_f1']:.4f}")
    say(f"  most confused      {_most_confused(metrics['confusion'])}")
    say("\nLocations")
    say(f"  confusion matrix   {local_path(outputs['confusion_picture']['uri'])}")
    say(f"  model              {local_path(outputs['best_model']['uri'])}")
    say(f"  record and logs    {local_path(execution['metadata_uri'])}")
    say(f"  Temporal UI        {ui_of(execution, dev)}")
    say("\nThe UI runs as long as the server. To keep both, use `just demo --keep`, or later")
    say(f"`flytemp dev` in {HERE}")


def _most_confused(confusion: list[list[int]]) -> str:
    wrong = [
        (count, actual, taken)
        for actual, row in enumerate(confusion)
        for taken, count in enumerate(row)
        if actual != taken and count
    ]
    if not wrong:
        return "nothing"
    return ", ".join(f"{actual} taken for {taken} ({count}×)" for count, actual, taken in sorted(wrong, reverse=True)[:3])


def local_path(uri: str) -> str:
    """Return the local path of a URI; store URIs are not percent-encoded."""
    return uri.removeprefix("file://")


def ui_of(execution: dict[str, Any], dev: dict[str, Any]) -> str:
    """Return the URL of the execution in Temporal's UI."""
    workflow = quote(execution["workflow_id"], safe="")
    return f"{dev['ui_url']}/namespaces/{quote(execution['namespace'])}/workflows/{workflow}"


if __name__ == "__main__":
    sys.exit(main())
