"""Decoding in other processes: what a hostile picture, a killed process or a killed program leaves behind."""

from __future__ import annotations

import gc
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines.core.errors import Cancelled, ImageReadError
from engines.core.paths import repository_dir
from engines.core.progress import CancelToken
from engines.imaging import decoder_limits, decoder_pool
from engines.imaging.decoder_pool import DecoderPool
from tests.imaging.files import encoded, gif_with_comment
from tests.imaging.memory import own_peak_bytes

try:
    import resource
except ImportError:  # Windows
    resource = None

posix = pytest.mark.skipif(os.name != "posix", reason="the system bounds no process")
linux = pytest.mark.skipif(sys.platform != "linux", reason="other processes are looked at in /proc")
# 50 seconds of copying where nothing stops it; quadratic.
ENDLESS = gif_with_comment(3_000_000)


@pytest.fixture
def pool() -> Iterator[DecoderPool]:
    pool = DecoderPool()
    yield pool
    pool.close()


def flat(level: int) -> bytes:
    return encoded(np.full((5, 4, 3), level, np.uint8), "PNG")


def reads(pool: DecoderPool, level: int = 7) -> bool:
    pixels, notes = pool.decode(flat(level), "PNG", "flat.png")
    return pixels.shape == (5, 4, 3) and (pixels == level).all() and notes == ()


def wait_until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def in_background(function: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """A running thread, and a list that will hold what the function returns or raises."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(function())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


def runs(process_id: int) -> bool:
    """Whether it computes or waits; one that has ended and was not yet taken notice of does neither."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


# ---- limits ----------------------------------------------------------------------------------------------------------


@posix
def test_a_picture_that_takes_far_too_long_is_given_up(pool, monkeypatch):
    monkeypatch.setattr(decoder_limits, "CPU_SEC", 0.1)
    monkeypatch.setattr(decoder_limits, "WALL_SEC", 40)
    assert reads(pool)
    (process_id,) = pool.process_ids()
    started = time.monotonic()
    with pytest.raises(ImageReadError, match=r"^comment\.gif takes far longer to read than a picture should; save it anew"):
        pool.decode(ENDLESS, "GIF", "comment.gif")
    assert time.monotonic() - started < 30
    assert reads(pool)
    assert process_id not in pool.process_ids()


def test_the_clock_bounds_it_too(pool, monkeypatch):
    assert reads(pool)
    monkeypatch.setattr(decoder_limits, "WALL_SEC", 0.2)
    started = time.monotonic()
    with pytest.raises(ImageReadError, match="takes far longer"):
        pool.decode(ENDLESS, "GIF", "comment.gif")
    assert time.monotonic() - started < 5
    monkeypatch.undo()
    assert reads(pool)


@linux
def test_time_counts_for_each_picture_anew(pool, monkeypatch):
    for seconds in (50, 500, 70):
        monkeypatch.setattr(decoder_limits, "CPU_SEC", seconds)
        assert reads(pool)
        (process_id,) = pool.process_ids()
        # A process of a second or less, rounded up.
        assert seconds < resource.prlimit(process_id, resource.RLIMIT_CPU)[0] <= seconds + 2


@posix
def test_memory_is_bounded_and_not_the_program_s(pool, monkeypatch):
    large = encoded(Image.new("L", (6000, 6000)), "PNG")
    monkeypatch.setattr(decoder_limits, "MEMORY_BYTES", 300 * 2**20)
    with (
        own_peak_bytes() as peak,
        pytest.raises(ImageReadError, match=r"^a\.png needs more memory than a picture should; save"),
    ):
        pool.decode(large, "PNG", "a.png")
    assert peak() < 20e6
    assert reads(pool)


def test_the_largest_picture_allowed_is_within_the_limits(pool):
    """With transparency it is held several times over."""
    pixels, _ = pool.decode(encoded(Image.new("RGBA", (8000, 5000), (9, 8, 7, 0)), "PNG", compress_level=1), "PNG", "a.png")
    assert pixels.shape == (5000, 8000, 3) and (pixels[::500, ::500] == 255).all()


# ---- cancelling ------------------------------------------------------------------------------------------------------


def test_cancelling_ends_the_decoding_at_once(pool):
    assert reads(pool)
    cancel = CancelToken()
    thread, outcome = in_background(lambda: pool.decode(ENDLESS, "GIF", "a.gif", cancel))
    time.sleep(0.3)
    cancel.cancel()
    thread.join(1)
    assert isinstance(outcome[0], Cancelled)
    assert reads(pool)


def test_who_waits_for_a_free_process_can_cancel_too(pool):
    busy, waiting = CancelToken(), CancelToken()
    for _ in range(2):
        in_background(lambda: pool.decode(ENDLESS, "GIF", "a.gif", busy))
    assert wait_until(lambda: len(pool.process_ids()) == 2)
    thread, outcome = in_background(lambda: pool.decode(flat(1), "PNG", "b.png", waiting))
    time.sleep(0.2)
    assert not outcome
    waiting.cancel()
    thread.join(1)
    assert isinstance(outcome[0], Cancelled)
    thread, outcome = in_background(lambda: reads(pool))
    assert len(pool.process_ids()) == 2
    busy.cancel()
    thread.join(10)
    assert outcome == [True]


# ---- processes -------------------------------------------------------------------------------------------------------


@linux
def test_a_process_that_dies_costs_its_picture_and_no_other(pool):
    thread, outcome = in_background(lambda: pool.decode(ENDLESS, "GIF", "a.gif"))
    assert wait_until(lambda: len(pool.process_ids()) == 1)
    time.sleep(1)  # It has started by then, or the picture is told that it has not.
    os.kill(pool.process_ids()[0], signal.SIGSEGV)
    thread.join(10)
    assert isinstance(outcome[0], ImageReadError)
    assert str(outcome[0]).startswith(("a.gif is damaged in such a way that reading it broke off", "a.gif could not be read"))
    assert reads(pool)
    (idle,) = pool.process_ids()
    os.kill(idle, signal.SIGKILL)
    assert wait_until(lambda: not runs(idle))
    assert reads(pool)
    assert idle not in pool.process_ids()


def test_threads_get_each_its_own_picture(pool):
    wrong: list[int] = []

    def read_some(first: int) -> None:
        wrong.extend(level for level in range(first, first + 20) if not reads(pool, level))

    threads = [in_background(lambda first=first: read_some(first))[0] for first in range(0, 160, 20)]
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not wrong
    assert 1 <= len(pool.process_ids()) <= 2


def test_idle_processes_end(pool, monkeypatch):
    monkeypatch.setattr(decoder_pool, "_IDLE_SEC", 0.1)
    assert reads(pool)
    assert wait_until(lambda: not pool.process_ids())
    assert reads(pool)


@pytest.mark.parametrize(("data", "kind"), [(flat(3)[:40], "PNG"), (ENDLESS, "GIF")], ids=["refused", "given up"])
def test_nothing_of_a_picture_is_kept(pool, monkeypatch, data, kind):
    """Also without the collector of cycles, which may come late for something large."""
    gc.collect()
    gc.disable()
    try:
        pixels = pool.decode(flat(3), "PNG", "a.png")[0]
        buffer = weakref.ref(pixels if pixels.base is None else pixels.base)
        monkeypatch.setattr(decoder_limits, "WALL_SEC", 0.1)
        before = sys.getrefcount(data)
        with suppress(ImageReadError):  # pytest.raises would keep the traceback
            pool.decode(data, kind, "b")
        assert wait_until(lambda: sys.getrefcount(data) == before, 2)
        del pixels
        assert wait_until(lambda: buffer() is None, 2)
    finally:
        gc.enable()


@posix
@pytest.mark.parametrize("program", ["", "/nonexistent/python", "/bin/true"])
def test_without_a_process_nothing_is_decoded(pool, monkeypatch, program):
    monkeypatch.setattr(sys, "executable", program)
    with pytest.raises(ImageReadError, match=r"^flat\.png could not be read, because the process .* did not start \(.+\); try"):
        reads(pool)
    monkeypatch.undo()
    assert reads(pool)


@posix
@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("[]", 0),
        ("{}", 0),
        ('{"shape": [5, 4, 3], "notes": []}', 59),
        ('{"shape": [-5, -4, 3], "notes": []}', 60),
        ('{"shape": [20, 3], "notes": []}', 60),
        ('{"shape": [5, 4, 3], "notes": [1]}', 60),
        ('{"shape": [5, 4, 3], "notes": []}', 2**31),
        ("nonsense", 0),
    ],
)
def test_what_is_answered_is_not_trusted(pool, monkeypatch, tmp_path, head, body):
    """Bytes that take a decoder over should get no further."""
    monkeypatch.setattr(sys, "executable", answering(tmp_path, head, body))
    monkeypatch.setattr("engines.imaging.decoder_process._END_SEC", 0.1)
    monkeypatch.setattr(decoder_limits, "WALL_SEC", 10)
    with pytest.raises(ImageReadError, match="broke off"):
        reads(pool)


@posix
def test_an_answer_is_taken_as_it_stands(pool, monkeypatch, tmp_path, capfd):
    """The test above would prove nothing if none were. What decoders say besides is nobody's business."""
    monkeypatch.setattr(sys, "executable", answering(tmp_path, '{"shape": [5, 4, 3], "notes": []}', 60))
    assert reads(pool, 0)
    assert capfd.readouterr() == ("", "")


def answering(folder: Path, head: str, body: int) -> str:
    """A program that takes the decoder's place, and answers once, with a body of zeros that it says to have this length."""
    frame = struct.pack(">II", 2, 0) + b"{}" + struct.pack(">II", len(head), body) + head.encode() + bytes(min(body, 99))
    (folder / "frame").write_bytes(frame)
    program = folder / "python"
    program.write_text(f"#!/bin/sh\necho noise >&2\ncat '{folder}/frame'\nexec sleep 60\n", encoding="utf-8")
    program.chmod(0o700)
    return str(program)


# ---- programs --------------------------------------------------------------------------------------------------------


def run(script: str, folder: Path) -> subprocess.Popen:
    """A script that reads pictures, started where the package does not lie."""
    path = folder / "scripts" / "script.py"
    path.parent.mkdir()
    found = f"import os, sys, time\nsys.path.append({str(repository_dir())!r})\n"
    path.write_text(f"{found}from engines.imaging.read import read_picture\n{script}", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.Popen(
        [sys.executable, str(path)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@linux
@pytest.mark.parametrize("safe_path", ["", "1"])
def test_a_script_needs_no_main_guard_and_leaves_no_process(tmp_path, monkeypatch, safe_path):
    (tmp_path / "a.png").write_bytes(flat(7))
    # A module of this name would be found first where the script was started, unless Python is told not to look there.
    monkeypatch.setenv("PYTHONSAFEPATH", safe_path)
    (tmp_path / "PIL.py").write_text("raise ImportError", encoding="utf-8")
    script = """
from engines.imaging.decoder_pool import decoder_pool
print(read_picture("a.png").pixels.sum(), *decoder_pool().process_ids())
"""
    sum_of_pixels, process_id = _output(run(script, tmp_path)).split()
    assert int(sum_of_pixels) == 7 * 5 * 4 * 3
    assert not runs(int(process_id))


@posix
def test_a_forked_process_starts_its_own(tmp_path):
    (tmp_path / "a.png").write_bytes(flat(7))
    script = """
from engines.imaging.decoder_pool import decoder_pool
def look(): return read_picture("a.png").pixels.sum() == 420, set(decoder_pool().process_ids())
_, ours = look()
child = os.fork()
right, used = look()
if child == 0:
    os._exit(0 if right and len(used) == 1 and not used & ours else 3)
print(right, used == ours, os.waitpid(child, 0)[1])
"""
    assert _output(run(script, tmp_path)) == "True True 0\n"


@linux
@pytest.mark.parametrize("then", ["time.sleep(60)", "read_picture('b.gif')", "fork_and_sleep()"])
def test_a_program_that_is_killed_leaves_no_process(tmp_path, then):
    """A process that was forked off it, and lives on, has copies of its pipes."""
    (tmp_path / "a.png").write_bytes(flat(7))
    (tmp_path / "b.gif").write_bytes(ENDLESS)
    script = f"""
from engines.imaging import decoder_limits
from engines.imaging.decoder_pool import decoder_pool
def fork_and_sleep():
    if os.fork() == 0:
        os.closerange(0, 3)
    time.sleep(60)
decoder_limits.CPU_SEC = 0.5
read_picture("a.png")
print(*decoder_pool().process_ids(), flush=True)
{then}
"""
    program = run(script, tmp_path)
    process_id = int(program.stdout.readline())
    time.sleep(0.2)
    assert runs(process_id)
    program.kill()
    program.communicate()
    try:
        assert wait_until(lambda: not runs(process_id))
    finally:
        _end_all_of(program)


def _output(process: subprocess.Popen) -> str:
    try:
        output, errors = process.communicate(timeout=60)
    finally:
        _end_all_of(process)
    assert process.returncode == 0, errors
    return output


def _end_all_of(process: subprocess.Popen) -> None:
    """Also what was forked off a program that has ended."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
