"""``python -m engines COMMAND ...``"""

import signal
import sys
from types import FrameType


def _terminate(signal_number: int, frame: FrameType | None) -> None:
    """Being asked to end unwinds like an interrupt, so that temporary files are removed."""
    sys.exit(128 + signal_number)


def _main() -> int:
    try:
        signal.signal(signal.SIGTERM, _terminate)
        # Here, since an interrupt may come while the modules are still being imported.
        from engines.cli.main import main

        return main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(_main())
