"""What the server remembers of each open page: one record per browser tab, locked, bounded and forgotten in time.

Gradio gives every tab a random session hash. It is the only key: without it nobody reaches a record.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from editor_app.preview import Preview
from engines.api import AlignedPicture, CancelToken, Face, Inversion, Pack, Picture, align, classes_of, pack_info

__all__ = ["Opened", "Seen", "Session", "Sessions"]

MAX_HASH_LENGTH = 64
_REMEMBERED = 256
"""Tabs of which it is known that they were crowded out."""


@dataclass(frozen=True)
class Seen:
    """What a pack's networks see in an opened picture, before any inversion."""

    aligned: AlignedPicture
    """The picture as it is inverted where nothing else is drawn: looking for the object takes a while."""
    class_name: str | None
    """For people: of which class it most probably is."""
    probability: float

    @staticmethod
    def of(pack: Pack, picture: Picture) -> Seen:
        aligned = align(pack, picture, None)
        classes = classes_of(pack, aligned)
        best = max(classes, key=classes.get, default=None)
        names = {row.id: row.name for row in pack_info(pack).classes}
        return Seen(aligned, names.get(best), classes.get(best, 0.0))

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """The object (x0, y0, x1, y1) in pixels of the picture."""
        return self.aligned.object_box


@dataclass(frozen=True, eq=False)
class Opened:
    """A picture that a tab has opened, and what of it is edited."""

    picture: Picture
    opening: int = 0
    """Number of the job that opened it: the same picture opened again is another."""
    thumbnail: str = ""
    """The picture for the left panel, as a data URI."""
    faces: tuple[Face, ...] = ()
    """From left to right, as the page numbers them."""
    seen: Seen | None = None
    """Of a pack that finds objects or tells classes."""
    region: int | Literal["whole"] | None = None
    """What of the picture is edited: the index of a face or all of it; None while the user has to choose."""


@dataclass(eq=False)
class Session:
    """The picture and the inversion of one tab. Read and written under `lock`.

    What a job opens or chooses is `coming` until the job has an inversion of it: a job that comes to nothing leaves all else
    as it was.
    """

    lock: threading.RLock = field(default_factory=threading.RLock)
    revision: int = 0
    """Number of the newest job the page has asked for; the page counts up, answers to older numbers are dropped."""
    cancel: CancelToken = field(default_factory=CancelToken)
    """Ends the job `revision`."""
    running: int | None = None
    """Number of the job that is at work; None where it has ended, or none was asked for."""
    opened: Opened | None = None
    coming: Opened | None = None
    inversion: Inversion | None = None
    """Of what is opened; or a sample of the generator, beside it."""
    from_store: bool = False
    """Whether the inversion was kept from an earlier tuning to the same picture."""
    preview: Preview | None = None
    """The photo at the size of the screen; None for a person made up by the generator."""
    used_sec: float = 0.0
    left_sec: float | None = None
    """When its page was last thought to be closed; None once it has called again."""

    def begin(self, revision: int) -> CancelToken | None:
        """Cancels the running job and makes `revision` the current one; None if a newer one was asked for already."""
        with self.lock:
            if revision <= self.revision:
                return None
            self.cancel.cancel()
            self.revision, self.cancel, self.running = revision, CancelToken(), revision
            return self.cancel

    def end(self, revision: int) -> None:
        """The job has ended, however."""
        with self.lock:
            if self.running == revision:
                self.running = None

    def stop(self, revision: object) -> None:
        """Asks the job of that number to stop; one that was ordered after it goes on."""
        with self.lock:
            if revision == self.revision:
                self.cancel.cancel()

    @property
    def picture(self) -> Picture | None:
        """The opened picture; the one that is coming is none of it."""
        return None if self.opened is None else self.opened.picture

    @property
    def faces(self) -> tuple[Face, ...]:
        return () if self.opened is None else self.opened.faces

    @property
    def in_hand(self) -> Opened | None:
        """What the next job works on, and the page shows: also a picture that has no inversion yet."""
        return self.opened if self.coming is None else self.coming

    def take(self, inversion: Inversion | None, preview: Preview | None = None, *, from_store: bool = False) -> None:
        """A job has succeeded: what it worked on is the tab's from now on, with this inversion or with none yet."""
        self.opened, self.coming = self.in_hand, None
        self.inversion, self.preview, self.from_store = inversion, preview, from_store

    def give_up(self) -> None:
        """A job came to nothing: what was before it holds. Where nothing was, the picture stays to be inverted again."""
        if self.opened is None and self.inversion is None:
            self.opened = self.coming
        self.coming = None

    def is_current(self, revision: int) -> bool:
        with self.lock:
            return revision == self.revision

    @property
    def held_bytes(self) -> int:
        """Memory of what is large: the picture, one that is coming, and the tuned generator's weight differences."""
        inversion = self.inversion
        pictures = {id(each.picture): each.picture.pixels.nbytes for each in (self.opened, self.coming) if each is not None}
        weights = {} if inversion is None else inversion.weight_differences
        return sum(pictures.values()) + sum(array.nbytes for array in weights.values())


class Sessions:
    """All tabs, least recently used first.

    A tab that is idle too long, or the oldest of too many, is forgotten; not while a job of it runs. One whose page is closed
    is forgotten when it has not called for a while: a connection that breaks and comes back looks like a page that closes.
    """

    def __init__(
        self,
        *,
        max_sessions: int = 64,
        max_bytes: int = 400_000_000,
        max_idle_sec: float = 3600.0,
        max_left_sec: float = 90.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_sessions = max_sessions
        self._max_bytes = max_bytes
        self._max_idle_sec = max_idle_sec
        self._max_left_sec = max_left_sec
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._crowded_out: OrderedDict[str, None] = OrderedDict()

    def open(self, session_hash: str) -> Session:
        """The tab's record, made on first use. Raises ValueError for a key that is no session hash."""
        if not isinstance(session_hash, str) or not 0 < len(session_hash) <= MAX_HASH_LENGTH:
            raise ValueError("not a session hash")
        with self._lock:
            session = self._sessions.setdefault(session_hash, Session())
            self._touch(session_hash, session)
            self._crowded_out.pop(session_hash, None)
            self._forget_old(keep=session_hash)
            return session

    def find(self, session_hash: object) -> Session | None:
        """The tab's record if there is one; asking for any other key leaves nothing behind."""
        with self._lock:
            session = self._sessions.get(session_hash) if isinstance(session_hash, str) else None
            if session is not None:
                self._touch(session_hash, session)
            return session

    def job_ended(self, session_hash: str, session: Session, revision: int) -> None:
        """A job of the tab has ended: its idle time counts from now on."""
        session.end(revision)
        with self._lock:
            if self._sessions.get(session_hash) is session:
                session.used_sec = self._clock()
                self._sessions.move_to_end(session_hash)

    def was_crowded_out(self, session_hash: object) -> bool:
        """Whether the tab was forgotten to make room for others, and has not been opened again."""
        with self._lock:
            return isinstance(session_hash, str) and session_hash in self._crowded_out

    def leave(self, session_hash: object) -> None:
        """The tab's page seems to be closed."""
        self._note_left(session_hash, self._clock())

    def stay(self, session_hash: object) -> None:
        """The tab's page is open after all."""
        self._note_left(session_hash, None)

    def sweep(self) -> None:
        """Forgets the tabs whose time is over; to be called every now and then."""
        with self._lock:
            self._forget_old()

    def drop(self, session_hash: str) -> None:
        """Forgets a tab and ends what it was waiting for."""
        with self._lock:
            session = self._sessions.pop(session_hash, None)
        if session is not None:
            session.cancel.cancel()

    def close(self) -> None:
        """Forgets everybody: the program ends."""
        for session_hash in list(self._sessions):
            self.drop(session_hash)

    def __len__(self) -> int:
        return len(self._sessions)

    def _note_left(self, session_hash: object, left_sec: float | None) -> None:
        with self._lock:
            session = self._sessions.get(session_hash) if isinstance(session_hash, str) else None
            if session is not None:
                session.left_sec = left_sec

    def _touch(self, session_hash: str, session: Session) -> None:
        session.used_sec, session.left_sec = self._clock(), None
        self._sessions.move_to_end(session_hash)

    def _forget_old(self, *, keep: str = "") -> None:
        total_bytes = sum(session.held_bytes for session in self._sessions.values())
        for session_hash, session in list(self._sessions.items()):
            over = self._is_over(session)
            crowded = len(self._sessions) > self._max_sessions or total_bytes > self._max_bytes
            if session_hash == keep or not (over or (crowded and session.running is None)):
                continue
            total_bytes -= session.held_bytes
            del self._sessions[session_hash]
            session.cancel.cancel()
            if not over:
                self._crowded_out[session_hash] = None
        while len(self._crowded_out) > _REMEMBERED:
            self._crowded_out.popitem(last=False)

    def _is_over(self, session: Session) -> bool:
        """Whether the tab's page was closed long ago, or has not been used for long."""
        now_sec = self._clock()
        if session.left_sec is not None and now_sec - session.left_sec > self._max_left_sec:
            return True
        return session.running is None and now_sec - session.used_sec > self._max_idle_sec
