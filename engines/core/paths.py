"""Where things lie: the bundled assets, and the folder for what is kept per user."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["DATA_DIR_VARIABLE", "PACKS_VARIABLE", "data_dir", "packs_dir", "repository_dir"]

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
