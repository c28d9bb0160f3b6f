"""Chooses the command, runs it, and turns what happens into an exit status.

0: done. 2: bad input, one line ``error: ...`` on stderr. 130: interrupted. Anything else is a fault of the program and
shows its traceback.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from engines.cli.output import complain, print_json, progress_printer
from engines.cli.parsing import add_shared_options, chosen
from engines.core.arguments import Parser
from engines.core.errors import LweError, OptionError
from engines.core.memory import keep_freed_memory
from engines.core.paths import use_data_dir

__all__ = ["COMMANDS", "main"]

COMMANDS: dict[str, str] = {
    "packs": "list the packs that are installed",
    "sample": "draw unselected samples from a pack's generator",
    "data": "render labelled pictures",
    "invert": "find the codes of pictures",
    "edit": "change attributes of a picture",
    "tuned": "list or forget what is kept of tuned generators",
    "train": "train a part of a pack, or an edit of your own",
    "codes": "encode labelled pictures into a file of codes",
    "edits": "list or remove edits that users have trained",
    "evaluate": "measure a part of a pack on held-out pictures",
    "benchmark": "measure speed on this machine",
}
"""Command -> what it does.

The module of the same name in this folder has ``add_arguments(parser, words)``, which may look at the command's words, and
``run(arguments) -> dict``, the JSON result; with a list `errors` that is not empty the command has partly failed.
"""

_PROGRAM = "python -m engines"
_OK, _BAD_INPUT, _INTERRUPTED = 0, 2, 130


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command line `words` (default: the process's own) and returns the exit status."""
    try:
        return _run(list(sys.argv[1:] if words is None else words))
    except LweError as error:
        complain(str(error))
        return _BAD_INPUT
    except BrokenPipeError:
        # The reader has gone (``| head``): nothing more to say, and the interpreter must not complain while it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _OK
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        complain(f"{where}{error.strerror or error}; check the path, its permissions and the free space.")
        return _BAD_INPUT
    except KeyboardInterrupt:
        return _INTERRUPTED


def _run(words: list[str]) -> int:
    if words and words[0] in ("-h", "--help"):
        print(_overview())
        return _OK
    if not words or words[0].startswith("-"):
        raise OptionError(f"name a command first: {', '.join(COMMANDS)} (see {_PROGRAM} --help).")
    name = chosen("command", words[0], list(COMMANDS))
    command: Any = importlib.import_module(f"engines.cli.{name}")
    # A command's own option of the same name stands before the shared one.
    parser = Parser(prog=f"{_PROGRAM} {name}", description=COMMANDS[name], allow_abbrev=False, conflict_handler="resolve")
    add_shared_options(parser)
    command.add_arguments(parser, words[1:])
    arguments = parser.parse_args(words[1:])
    arguments.progress = progress_printer()
    use_data_dir(arguments.data_dir)
    _check_device(arguments.device)
    keep_freed_memory()
    # With --json stdout is for the object alone: what the command prints goes to stderr.
    with contextlib.redirect_stdout(sys.stderr) if arguments.json else contextlib.nullcontext():
        result = command.run(arguments)
    if arguments.json:
        print_json(result)
    return _BAD_INPUT if result.get("errors") else _OK


def _check_device(name: str) -> None:
    """Raises OptionError for a device that is not here, whether or not the command computes anything."""
    if name != "cpu":
        from engines.core.device import resolve_device  # torch, which takes a second, and which the CPU needs not for this

        resolve_device(name)


def _overview() -> str:
    width = max(len(name) for name in COMMANDS)
    rows = [f"  {name:<{width}}  {what}" for name, what in COMMANDS.items()]
    usage = f"usage: {_PROGRAM} COMMAND ... [--json] [--seed N]"
    return "\n".join([usage, "", *rows, "", f"{_PROGRAM} COMMAND --help says more."])
