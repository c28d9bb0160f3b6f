"""What all handlers share: the pack, the tabs, the queue and the files waiting to be fetched."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from editor_app import texts
from editor_app.downloads import Downloads
from editor_app.examples import Example
from editor_app.sessions import Sessions
from editor_app.trainings import Trainings
from editor_app.turns import Turns
from engines.api import OptionError, Pack, PackInfo, open_pack

__all__ = ["Editor"]

LIVE_SLOTS = 2
OPENED_AT_ONCE = 2
MAX_WAITING_EXPORTS = 8


@dataclass(frozen=True, eq=False)
class Editor:
    """One running editor; tests make their own."""

    info: PackInfo
    """The pack that the page edits with."""
    examples: tuple[Example, ...] = ()
    upload_dir: str = ""
    """Where Gradio puts uploads; jobs open no file outside it."""
    sessions: Sessions = field(default_factory=Sessions)
    turns: Turns = field(default_factory=Turns)
    """Of inversions."""
    openings: Turns = field(default_factory=lambda: Turns(at_once=OPENED_AT_ONCE))
    """Of pictures that are decoded and searched: a large one takes hundreds of megabytes meanwhile."""
    exports: Turns = field(default_factory=lambda: Turns(MAX_WAITING_EXPORTS))
    """Of pictures at full size: blending a large one takes gigabytes."""
    downloads: Downloads = field(default_factory=Downloads)
    trainings: Trainings = field(default_factory=Trainings)
    live_slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(LIVE_SLOTS))
    """More edits at once than cores would make each of them late."""

    @property
    def pack(self) -> Pack:
        """The weights; read when first asked for, then shared."""
        return open_pack(self.info.id)

    def pack_for(self, user: str | None) -> Pack:
        """The pack with the edits of the user who holds this secret, beside those of the program's owner."""
        return open_pack(self.info.id, user=user)

    def uploaded(self, path: str) -> Path:
        """The path of an upload. The page tells it, and a path can be made up: only what was uploaded may be opened.

        Raises OptionError for any other.
        """
        try:
            found = Path(path).resolve()
            inside = found.is_relative_to(Path(self.upload_dir).resolve()) and found.is_file()
        except (OSError, ValueError):
            inside = False
        if not inside:
            raise OptionError(texts.NOT_UPLOADED)
        return found

    def forgotten(self, session_hash: object) -> str:
        """The sentence why a tab's picture is not there."""
        return texts.CROWDED_OUT if self.sessions.was_crowded_out(session_hash) else texts.FORGOTTEN

    def sweep(self) -> None:
        """Forgets the tabs and removes the downloads whose time is over."""
        self.sessions.sweep()
        self.downloads.sweep()

    def close(self) -> None:
        """Ends all jobs and removes what lies on disk."""
        self.trainings.close()
        self.sessions.close()
        self.downloads.close()
