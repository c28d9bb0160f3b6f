"""``python -m engines COMMAND ...``"""

import signal
import sys
from types import FrameType

from engines.cli.main import main


def _terminate(signal_number: int, frame: FrameType | None) -> None:
    """Being asked to end unwinds like an interrupt, so that temporary files are removed."""
    sys.exit(128 + signal_number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(main())
