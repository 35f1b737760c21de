"""Execution of the commands of a page, step by step, with a check of the documented results."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.command_line import environment, flytemp
from tests.docs.blocks import DOCS, ROOT, Block
from tests.installation import eventually

STOP_SECONDS = 90


class Newcomer:
    """A terminal, and a second one for background commands.

    Args:
        folder: where it starts.
        variables: what is set in it, beside the machine's own.
        quick: run commands of flytemp in this process, which saves the second that starting Python takes.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None, *, quick: bool = False) -> None:
        self.cwd = folder
        self._quick = quick
        self._mark = folder / ".cwd"
        self._background: list[subprocess.Popen[bytes]] = []
        plain = {key: value for key, value in os.environ.items() if not key.startswith(("FLYTEMP_", "TEMPORAL_"))}
        scripts = str(Path(sys.executable).parent)
        self._environment = {
            **plain,
            "XDG_CONFIG_HOME": str(folder / "config"),
            "NO_COLOR": "1",
            **(variables or {}),
            "PATH": f"{scripts}{os.pathsep}{plain['PATH']}",
        }

    def follow(self, block: Block) -> None:
        """Execute a block of the page and check its documented result."""
        file, source = block.mark("file"), block.mark("from")
        if block.mark("not run") is not None:
            return
        if file is not None:
            (self.cwd / file).write_text(block.text, encoding="utf-8")
        elif source is not None:
            home = ROOT if source.startswith("examples/") else self.cwd
            assert block.text in (home / source).read_text(encoding="utf-8"), str(block)
        elif block.mark("background") is not None:
            self._start(block)
        elif block.language == "sh":
            self._run(block)

    def type(self, *lines: str) -> None:
        """Run commands that the page requires."""
        self._run(Block(DOCS, 0, "sh", "\n".join(lines)))

    def _run(self, block: Block) -> None:
        lines = block.text.replace("\\\n", " ").splitlines()
        if self._quick and all(line.startswith("flytemp ") for line in lines):
            code, output = self._here(lines)
        else:
            code, output = self._in_a_shell(block.text)
        wanted = int(block.mark("exit code") or 0)
        place = f"{block.page.name}:{block.line}"
        assert code == wanted, f"{place}: exit code {code}\n{block.text}\n{output}"
        for shown in block.marks.get("shows", ()):
            assert shown in output, f"{place}: does not show {shown!r}\n{output}"

    def _in_a_shell(self, text: str) -> tuple[int, str]:
        """Run commands; return their exit code and output. The working directory is kept for the next commands."""
        script = f"{text}\npwd > '{self._mark}'\n"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            self.cwd = Path(self._mark.read_text().strip())
        return done.returncode, done.stdout

    def _here(self, lines: list[str]) -> tuple[int, str]:
        """Run commands of flytemp only, in this process, until one fails; return the exit code and output."""
        output = ""
        for line in lines:
            words = shlex.split(line.replace("$PWD", str(self.cwd)))
            with environment(self._environment, self.cwd):
                done = flytemp(*words[1:])
            output += done.out + done.err
            if done.code != 0:
                return done.code, output
        return 0, output

    def _start(self, block: Block) -> None:
        with (self.cwd / "background.log").open("wb") as log:
            child = subprocess.Popen(
                ["bash", "-c", f"exec {block.text}"],
                cwd=self.cwd,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._background.append(child)
        log_file = self.cwd / "background.log"
        eventually(lambda: b"ready" in log_file.read_bytes() or child.poll() is not None, "flytemp dev is ready")
        assert child.poll() is None, log_file.read_text()

    def stop(self) -> list[int]:
        """Send Ctrl-C to the background commands and return their exit codes."""
        codes = []
        for child in self._background:
            child.send_signal(signal.SIGINT)
            try:
                codes.append(child.wait(STOP_SECONDS))
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                raise
        return codes
