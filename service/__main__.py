"""`python -m service` is `kindred`, and so is the command of that name."""

import io
import signal
import sys


def main() -> None:
    """Runs the command line; while it is loaded, and once it is done, Ctrl-C ends it at once."""
    heeds = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # or in the background
    if heeds:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal can't show is no failure
            stream.reconfigure(errors="backslashreplace")
    from service.cli import app

    if heeds:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app(prog_name="kindred")
    finally:
        if heeds:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()
