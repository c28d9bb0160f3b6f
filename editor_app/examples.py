"""The bundled pictures to try the editor with, and what ``CREDITS.md`` beside them says of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["EXAMPLES_DIR", "Example", "examples_folder", "load_examples"]

EXAMPLES_DIR = Path(__file__).resolve().parents[1] / "assets" / "examples"
CREDITS_FILE = "CREDITS.md"


@dataclass(frozen=True)
class Example:
    """One picture of assets/examples."""

    id: str
    path: Path
    caption: str
    credit: str


def examples_folder(pack_id: str) -> Path:
    """Where the pictures for a pack lie: a folder of its name, or else the faces, which are for every pack of faces."""
    own = EXAMPLES_DIR / pack_id
    return own if own.is_dir() else EXAMPLES_DIR


def load_examples(folder: Path = EXAMPLES_DIR) -> tuple[Example, ...]:
    """The pictures of a folder by name, with caption and credit from the table ``| File | Shows | Source | Rights |``."""
    credits_path = folder / CREDITS_FILE
    rows = _rows(credits_path.read_text(encoding="utf-8")) if credits_path.is_file() else {}
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return tuple(_example(path, rows.get(path.name, {})) for path in paths)


def _example(path: Path, row: dict[str, str]) -> Example:
    caption = row.get("shows") or path.stem.replace("-", " ").replace("_", " ").capitalize()
    facts = [part.rstrip(".") for part in (row.get("shows"), row.get("source"), row.get("rights")) if part]
    return Example(path.name, path, caption, ". ".join(facts) + "." if facts else "")


def _rows(markdown: str) -> dict[str, dict[str, str]]:
    """{file: {column in lower case: plain text}} of the first table whose first column is File."""
    columns: list[str] = []
    rows: dict[str, dict[str, str]] = {}
    for line in markdown.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.lstrip().startswith("|") else []
        if cells and cells[0].lower() == "file":
            columns = [cell.lower() for cell in cells]
        elif columns and cells and (file := re.search(r"`([^`]+)`", cells[0])):
            rows[file[1]] = {column: _plain(cell) for column, cell in zip(columns, cells, strict=False)}
    return rows


def _plain(cell: str) -> str:
    """Markdown without code marks and without what stands in brackets: hashes and links are for the file, not for the page."""
    return re.sub(r"\s*\([^()]*\)", "", cell.replace("`", "")).strip()
