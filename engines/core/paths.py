"""Where things lie: the bundled assets, and the folder for what is kept per user."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from engines.core.errors import OptionError

__all__ = ["DATA_DIR_VARIABLE", "PACKS_VARIABLE", "data_dir", "packs_dir", "repository_dir", "use_data_dir"]

DATA_DIR_VARIABLE = "LWE_DATA_DIR"
PACKS_VARIABLE = "LWE_PACKS_DIR"


def repository_dir() -> Path:
    return Path(__file__).resolve().parents[2]


def packs_dir() -> Path:
    """The folder of packs: `LWE_PACKS_DIR`, or the bundled ``assets/packs``."""
    named = os.environ.get(PACKS_VARIABLE)
    return Path(named) if named else repository_dir() / "assets" / "packs"


def data_dir() -> Path:
    """The folder for caches, runs and rendered data: `LWE_DATA_DIR`, or the platform's user data folder. Not created here."""
    named = os.environ.get(DATA_DIR_VARIABLE)
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
    return base / "latent-wasserstein-editor"


def use_data_dir(folder: Path | None) -> None:
    """Makes `folder` this process's data folder; None leaves the one that holds. Raises OptionError where that is a file."""
    if folder is not None:
        os.environ[DATA_DIR_VARIABLE] = str(folder)
    if data_dir().exists() and not data_dir().is_dir():
        raise OptionError(f"the data folder {data_dir()} is a file; name a folder with --data-dir or {DATA_DIR_VARIABLE}.")
