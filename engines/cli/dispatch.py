"""Commands with a WHAT: a table of modules, of which only the chosen one is imported."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from engines.cli.parsing import chosen
from engines.core.errors import OptionError

__all__ = ["add_chosen_arguments"]


def add_chosen_arguments(parser: argparse.ArgumentParser, words: Sequence[str], table: Mapping[str, tuple[str, str]]) -> None:
    """Adds the options of the WHAT that `words` name, and leaves its ``run`` in `arguments.run_what`.

    table: WHAT -> (module, what it does). The module has HELP, ``add_arguments(parser)`` and ``run(arguments) -> dict``.
    """
    parser.add_argument("what", metavar="WHAT", help="; ".join(f"{name}: {text}" for name, (_, text) in table.items()))
    named = _named(words, table)
    if named is None:
        if not {"-h", "--help"} & set(words):
            raise OptionError(f"name one of {', '.join(table)} (see {parser.prog} --help).")
        return
    module: Any = importlib.import_module(table[named][0])
    parser.prog, parser.description = f"{parser.prog} {named}", module.HELP
    module.add_arguments(parser)
    parser.set_defaults(run_what=module.run)


def _named(words: Sequence[str], table: Mapping[str, tuple[str, str]]) -> str | None:
    """WHAT comes first, or else is the first word that is in the table: options and their values are not known here yet."""
    if words and not words[0].startswith("-"):
        return chosen("WHAT", words[0], list(table))
    return next((word for word in words if word in table), None)
