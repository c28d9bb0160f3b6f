"""What all handlers share: the pack, the tabs, the queue and the files waiting to be fetched."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from editor_app.downloads import Downloads
from editor_app.examples import Example
from editor_app.sessions import Sessions
from editor_app.turns import Turns
from engines.api import Pack, PackInfo, open_pack

__all__ = ["Editor"]

LIVE_SLOTS = 2


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
    downloads: Downloads = field(default_factory=Downloads)
    live_slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(LIVE_SLOTS))
    """More edits at once than cores would make each of them late."""

    @property
    def pack(self) -> Pack:
        """The weights; read when first asked for, then shared."""
        return open_pack(self.info.id)

    def close(self) -> None:
        """Ends all jobs and removes what lies on disk."""
        self.sessions.close()
        self.downloads.close()
