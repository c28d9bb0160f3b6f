"""``packs``: what is installed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from engines.session.catalogue import list_packs


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """No options of its own."""


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    packs = list_packs()
    for pack in packs:
        shape = " x ".join(str(size) for size in pack.latent_shape)
        print(f"{pack.id}: {pack.title}, {pack.resolution} px, codes {shape}, {pack.bytes / 2**20:.0f} MB")
        print(f"  methods: {', '.join(pack.methods)}")
        print(f"  edit families: {', '.join(family.name for family in pack.families)}")
        if pack.classes:
            print(f"  classes: {', '.join(row.id for row in pack.classes)}")
        print(f"  attributes: {', '.join(attribute.id for attribute in pack.attributes)}")
    if not packs:
        print("No packs are installed.")
    return {"packs": [asdict(pack) for pack in packs]}
