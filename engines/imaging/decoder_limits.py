"""What decoding one picture may cost, by far more than any honest picture needs, and what is said where it costs more."""

from __future__ import annotations

__all__ = ["CPU_SEC", "MAX_PIXELS", "MEMORY_BYTES", "TOO_LARGE", "TOO_LONG", "WALL_SEC"]

MAX_PIXELS = 40_000_000

# The dearest pictures of MAX_PIXELS, as measured: a WebP with transparency took 0.96 GB of addresses, a PNG with transparency
# and a colour profile 3.5 seconds of a core.
MEMORY_BYTES = 2 * 2**30
CPU_SEC = 20.0
# A machine that is busy with other things gives a decoder a third of the time.
WALL_SEC = 60.0

# Behind the name of the picture.
TOO_LARGE = "needs more memory than a picture should; save it anew, or smaller, and try again."
TOO_LONG = "takes far longer to read than a picture should; save it anew and try again."
