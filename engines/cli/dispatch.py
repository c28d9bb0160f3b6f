"""Commands with a WHAT: a table of modules, of which only the chosen one is imported."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engines.cli.parsing import chosen
from engines.core.errors import OptionError

__all__ = ["add_chosen_arguments"]


def add_chosen_arguments(parser: argparse.ArgumentParser, words: Sequence[str], table: Mapping[str, tuple[str, str]]) -> None:
    """Adds the options of the WHAT that `words` name, and leaves its ``run`` in `arguments.run_what`.

    table: WHAT -> (module, what it does). The module has HELP, ``add_arguments(parser)`` and ``run(arguments) -> dict``.
    """
    named = _named(words, table)
    what = _only(named, table, parser.prog)
    parser.add_argument(
        "what", type=what, metavar="WHAT", help="; ".join(f"{name}: {text}" for name, (_, text) in table.items())
    )
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


def _only(named: str | None, table: Mapping[str, tuple[str, str]], program: str) -> Callable[[str], str]:
    """An argparse type: the WHAT whose options were added. With another one an option's value was taken for it."""

    def parse(text: str) -> str:
        if chosen("WHAT", text, list(table)) != named:
            raise OptionError(f"WHAT {text}: name it before all options, like {program} {text} ....")
        return text

    return parse
