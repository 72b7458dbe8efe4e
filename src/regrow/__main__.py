"""`python -m regrow` is the `regrow` command."""

import os
import sys

INTERRUPTED = 130


def _end() -> None:
    """Ends with 130 here and now: a Ctrl-C that met some library's import would let Python end by the signal itself."""
    sys.stdout.flush()
    sys.stderr.flush()
    if "multiprocessing.process" in sys.modules:
        _end_workers()
    os._exit(INTERRUPTED)


def _end_workers() -> None:
    """Ends the workers in the middle of what they do, without a word of the threads that wait for them."""
    import atexit
    import multiprocessing
    import threading

    threading.excepthook = lambda args: None
    late = threading.Timer(2.0, os._exit, (INTERRUPTED,))  # should a lock of a worker that is gone be waited for
    late.daemon = True
    late.start()
    for worker in multiprocessing.active_children():
        worker.kill()
    atexit._run_exitfuncs()  # what multiprocessing has of the system's is given back


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
