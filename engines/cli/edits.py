"""``edits list|remove``: the edits that users have trained (``train lw --labels``, or "New attribute" on the page)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from engines import api
from engines.core.errors import OptionError
from engines.packs.user_edit_files import remove_user_edit
from engines.packs.user_edits import UserEdit


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    add = parser.add_argument
    add("what", choices=("list", "remove"), metavar="list|remove", help="show the edits, or remove one")
    add("id", nargs="?", metavar="ID", help="the edit to remove")
    add("--pack", default=None, metavar="P", help="of this pack alone (remove: default faces)")
    add(
        "--user",
        default=None,
        metavar="KEY",
        help="of a user of the page, by the key that list shows (default: list everybody's, remove your own)",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """`edits`: those there are, or the one that was removed."""
    if arguments.what == "list":
        if arguments.id is not None:
            raise OptionError(f"edits list takes no ID, got {arguments.id}.")
        found = [each for each in api.user_edits(arguments.pack) if arguments.user in (None, each[0].user)]
        for edit, problem in found:
            print(_line(edit, problem))
        print(f"{len(found)} edits")
        return {"edits": [_facts(edit, problem) for edit, problem in found]}
    if arguments.id is None:
        raise OptionError("name the edit to remove: edits remove ID (see edits list).")
    pack = arguments.pack or "faces"
    if arguments.user is not None and all(edit.user != arguments.user for edit, _ in api.user_edits(pack)):
        raise OptionError(
            f"--user {arguments.user[:60]}: there is no such user with edits of the pack {pack} (see edits list)."
        )
    edit = remove_user_edit(api.open_pack(pack).id, arguments.id, arguments.user)
    print(f"{edit.id} of pack {edit.pack} removed")
    return {"edits": [_facts(edit, "")]}


def _line(edit: UserEdit, problem: str) -> str:
    owner = "" if edit.user is None else f"  user {edit.user}"
    state = problem or f"{edit.provenance.get('with')} pictures with, {edit.provenance.get('without')} without"
    return f"{edit.pack}  {edit.id:<20} {edit.name}{owner}  {state}"


def _facts(edit: UserEdit, problem: str) -> dict[str, Any]:
    return {
        "id": edit.id,
        "name": edit.name,
        "pack": edit.pack,
        "user": edit.user,
        "usable": not problem,
        "problem": problem,
        "report": str(edit.folder / "report.md"),
        "provenance": dict(edit.provenance),
        "figures": dict(edit.figures),
    }
