"""Runs commands as people do, and tells what they have left."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from engines.cli.main import main

__all__ = ["ROOT", "Done", "as_process", "command", "json_of", "only_error"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Done:
    """What a command has left."""

    returncode: int
    stdout: str
    stderr: str


def as_process(*words: str | Path) -> Done:
    """Runs the command as a process of its own."""
    line = [sys.executable, "-m", "engines", *map(str, words)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def command(*words: str | Path) -> Done:
    """Runs the command inside this process, where torch is loaded already."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:  # argparse's own --help
            status = end.code
    return Done(status, out.getvalue(), err.getvalue())


def json_of(done: Done) -> dict:
    """The object on stdout, which holds nothing else, in strict JSON."""

    def not_json(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    (line,) = done.stdout.splitlines()
    return json.loads(line, parse_constant=not_json)


def only_error(done: Done) -> str:
    """The one line on stderr of a command that failed for bad input."""
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]
