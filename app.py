"""Starts the editor in the browser: ``python app.py``."""

from __future__ import annotations

import argparse
import os
import sys


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Edit one thing about a face, live, in the browser.")
    # A Space says where to listen through Gradio's own variables.
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"), help="address to listen on")
    parser.add_argument("--port", type=int, default=os.environ.get("GRADIO_SERVER_PORT", "7860"), help="port to listen on")
    parser.add_argument("--pack", default="faces", help="id of the pack to edit with")
    parser.add_argument("--data-dir", help="folder for what is kept per image (default: the user's data folder)")
    return parser.parse_args(argv)


def main() -> int:
    options = arguments()
    if options.data_dir:
        os.environ["LWE_DATA_DIR"] = options.data_dir
    from editor_app.serve import serve
    from engines.core.errors import LweError

    try:
        serve(options.host, options.port, options.pack, lambda address: print(f"The editor is ready at {address}", flush=True))
    except LweError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
