"""Starts the editor in the browser: ``python app.py``."""

from __future__ import annotations

import argparse
import os
import sys

from engines.core.arguments import Parser, bounded_int, new_folder
from engines.core.errors import LweError
from engines.core.paths import use_data_dir


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(prog="app.py", description="Edit one thing about a face, live, in the browser.")
    # A Space says where to listen through Gradio's own variables.
    host, port = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"), os.environ.get("GRADIO_SERVER_PORT", "7860")
    parser.add_argument("--host", default=host, help="address to listen on")
    parser.add_argument("--port", type=bounded_int(0, 65535), default=port, help="port to listen on")
    parser.add_argument("--pack", default="faces", help="id of the pack to edit with")
    parser.add_argument(
        "--data-dir", type=new_folder, help="folder for what is kept per image (default: the user's data folder)"
    )
    return parser.parse_args(argv)


def main() -> int:
    try:
        options = arguments()
        use_data_dir(options.data_dir)
        from editor_app.serve import serve

        serve(options.host, options.port, options.pack, lambda address: print(f"The editor is ready at {address}", flush=True))
    except LweError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
