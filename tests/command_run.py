"""Runs a command's module in this process, as the command line would."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from engines.core.arguments import Parser


def run_command(module: ModuleType, *words: str, **given: Any) -> dict[str, Any]:
    """Its `run` on parsed words; --pack, --seed and --device, here `given`, are the command line's own, as is the progress."""
    parser = Parser()
    module.add_arguments(parser)
    arguments = parser.parse_args(list(words))
    vars(arguments).update({"pack": "tiny", "seed": 0, "device": "cpu", "progress": lambda record: None, **given})
    return module.run(arguments)
