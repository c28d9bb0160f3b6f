"""``data``: rendered pictures with exact labels, as plain files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from engines.core.arguments import bounded_int, new_folder
from engines.data.export import export_labelled
from engines.data.registry import DATA_SETS


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("name", metavar="NAME", help=f"which set: {', '.join(DATA_SETS)} (-ood: what training never shows)")
    parser.add_argument("--n", type=bounded_int(1, 10_000_000), required=True, help="how many pictures")
    parser.add_argument(
        "--out", type=new_folder, required=True, metavar="DIR", help="folder for images/, labels.csv, factors.jsonl"
    )
    parser.add_argument("--size", type=int, default=None, metavar="PX", help="height and width (default: the set's own)")
    parser.add_argument(
        "--counterfactuals", default="", metavar="A,...", help="also counterfactuals/A/: the same pictures with only A flipped"
    )
    parser.add_argument("--processes", type=bounded_int(1), help="how many render at the same time (default: one per core)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    done = export_labelled(
        arguments.name,
        arguments.n,
        arguments.out,
        size_px=arguments.size,
        seed=arguments.seed,
        counterfactuals=[name.strip() for name in arguments.counterfactuals.split(",") if name.strip()],
        processes=arguments.processes,
        progress=arguments.progress,
    )
    print(f"{done.n} pictures in {done.out_dir}, {done.rendered} rendered in {done.seconds:.1f} s")
    return {"n": done.n, "seconds": done.seconds, "rendered": done.rendered, "out": str(done.out_dir)}
