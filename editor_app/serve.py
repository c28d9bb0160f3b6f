"""Starts the server, loads the networks behind it, and ends both when told to."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from editor_app.examples import examples_folder, load_examples
from editor_app.temporary import own_folder
from engines.core.errors import OptionError

if TYPE_CHECKING:
    from editor_app.editor import Editor
    from engines.api import PackInfo

__all__ = ["serve"]

MAX_SESSIONS = 64
SWEEP_PERIOD_SEC = 30.0

_log = logging.getLogger("editor_app")


def serve(host: str, port: int, pack_id: str, on_ready: Callable[[str], None]) -> None:
    """Serves the editor until the process is ended by SIGTERM or SIGINT; `on_ready` is told the address once the page answers.

    Raises OptionError for a port that cannot be used and PackError for a pack that is not there.
    """
    _check_port(host, port)
    with ExitStack() as cleanups:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: _end(number, cleanups))
        folder = cleanups.enter_context(own_folder())
        # Read when Gradio is imported. Its statistics over past events would be computed anew after each of them.
        os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_ANALYTICS_CACHE_FREQUENCY="1000000")
        os.environ.setdefault("GRADIO_TEMP_DIR", str(folder / "uploads"))
        _check_folders()
        _run(host, port, pack_id, on_ready, cleanups)


def _end(number: int, cleanups: ExitStack) -> None:
    """Cleans up and leaves at once, whatever the threads are doing: files are written whole or not at all.

    An orderly exit would wait for them, and the networks' own threads do not survive the interpreter's end.
    """
    cleanups.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if number == signal.SIGTERM else 128 + number)


def _check_port(host: str, port: int) -> None:
    """Before the slow imports, and in our words."""
    try:
        with socket.create_server((host, port)):
            pass
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(f"cannot listen on {host} port {port} ({reason}); choose another with --port or --host.") from error


def _run(host: str, port: int, pack_id: str, on_ready: Callable[[str], None], cleanups: ExitStack) -> None:
    infos = _packs_with(pack_id)
    # After what may be wrong with the start: Gradio takes seconds to import.
    from editor_app.build import build
    from editor_app.editor import Editor
    from editor_app.markup import script, style
    from editor_app.panels.source import MAX_UPLOAD_BYTES
    from editor_app.routes import add_routes
    from editor_app.theme import page_theme

    editor = Editor(infos[pack_id], load_examples(examples_folder(pack_id)), upload_dir=os.environ["GRADIO_TEMP_DIR"])
    cleanups.callback(editor.close)
    others = [_beside(editor, info) for info in infos.values() if info.id != pack_id and info.methods]
    page = build(editor, *others)
    app, address, _ = page.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        footer_links=["api"],
        max_file_size=MAX_UPLOAD_BYTES,
        state_session_capacity=MAX_SESSIONS,
        favicon_path=str(Path(__file__).parent / "static" / "favicon.png"),
        theme=page_theme(),
        css=style(),
        head=script(),
    )
    add_routes(app, editor, *others)
    threading.Thread(target=_warm_up, args=(editor,), name="warm-up", daemon=True).start()
    on_ready(address)
    while True:
        time.sleep(SWEEP_PERIOD_SEC)
        _sweep(editor)


def _packs_with(pack_id: str) -> dict[str, PackInfo]:
    """The installed packs by their ids. Raises PackNotFoundError where this one is not among them."""
    from engines.api import PackNotFoundError, list_packs, tuned_entries, user_edits

    # LWE_TUNED_BYTES is looked at, and what interrupted trainings have left is removed.
    tuned_entries()
    user_edits()
    infos = {info.id: info for info in list_packs()}
    if pack_id not in infos:
        raise PackNotFoundError(f"there is no pack {pack_id!r}; installed: {', '.join(infos) or 'none'}.")
    return infos


def _check_folders() -> None:
    """Before the page stands, and in our words: what a job would stumble over later."""
    for name in ("LWE_DATA_DIR", "GRADIO_TEMP_DIR"):
        folder = os.environ.get(name)
        if folder is None:
            continue
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OptionError(f"{name}={folder}: this folder cannot be made ({error.strerror}); name another.") from error
        if not os.access(folder, os.W_OK):
            raise OptionError(f"{name}={folder}: nothing can be written into this folder; name another.")


def _sweep(editor: Editor) -> None:
    try:
        editor.sweep()
    except Exception:
        _log.exception("what is old could not be removed")


def _beside(editor: Editor, info: PackInfo) -> Editor:
    """The editor of another pack. Tabs, queue and downloads are shared, so that their limits hold for all packs together."""
    return replace(editor, info=info, examples=load_examples(examples_folder(info.id)))


def _warm_up(editor: Editor) -> None:
    """Loads what the first picture needs while the user still looks for one."""
    from editor_app.handlers.warm import warm

    try:
        warm(editor)
    except Exception:
        _log.exception("the networks could not be loaded ahead of time")
