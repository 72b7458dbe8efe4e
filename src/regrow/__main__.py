"""`python -m regrow` is the `regrow` command."""

import os
import sys

INTERRUPTED = 130


def _end() -> None:
    """Ends with 130 here and now: a Ctrl-C that met some library's import would let Python end by the signal itself."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(INTERRUPTED)


try:
    from regrow.cli import main

    main()
except KeyboardInterrupt:  # while it was still loading; `main` sees to the rest
    print("regrow: INTERRUPTED: stopped by the keyboard; nothing was written.", file=sys.stderr)
    _end()
except SystemExit as stop:
    if stop.code == INTERRUPTED:
        _end()
    raise
