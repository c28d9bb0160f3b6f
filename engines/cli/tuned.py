"""``tuned list|clear``: what is kept on disk of generators that were tuned to pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from engines import api
from engines.core.arguments import bounded_float


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("what", choices=("list", "clear"), metavar="list|clear", help="show what is kept, or forget it")
    parser.add_argument("--older-than", type=bounded_float(0), metavar="DAYS", help="only what was not used for so many days")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """`entries`: those there are, or those that were removed; `bytes`: their sizes together."""
    clearing = arguments.what == "clear"
    if clearing:
        entries = api.clear_tuned(arguments.older_than)
    else:
        entries = [entry for entry in api.tuned_entries() if entry.age_days >= (arguments.older_than or 0)]
    for entry in entries:
        print(
            f"{entry.pack}  {entry.method:<10} mse {entry.mse:.5f}  {entry.bytes / 2**20:5.1f} MB  "
            f"last used {entry.age_days:.1f} days ago"
        )
    size = sum(entry.bytes for entry in entries)
    print(f"{len(entries)} entries{' removed' if clearing else ''}, {size / 2**20:.1f} MB")
    return {"entries": [asdict(entry) for entry in entries], "bytes": size}
