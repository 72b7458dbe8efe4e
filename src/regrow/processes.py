"""Processes of our own that solve chunks of people beside each other.

The one thing to know: Ctrl-C belongs to the process that asked. Its workers never hear it, and end with it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from regrow.refusal import Refusal

if TYPE_CHECKING:
    from concurrent.futures import Executor


def _leave_ctrl_c() -> None:
    """In a worker: Ctrl-C is for the process that asked, which ends its workers when it ends itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # held back until here, see `pool`


@contextmanager
def pool(workers: int, executor: Executor | None) -> Iterator[Executor | None]:
    """Where chunks are solved: the caller's executor, so many processes of our own, or None for this process."""
    if executor is not None and workers > 1:
        sentence = f"workers: {workers} beside an executor, which has workers of its own; give one of the two"
        raise Refusal("WORKERS-TWICE", sentence, field="workers", value=workers)
    if executor is not None or workers == 1:
        yield executor
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    class Workers(ProcessPoolExecutor):
        """Starts its processes with Ctrl-C held back, until they know to leave it alone."""

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                return super().submit(fn, *args, **kwargs)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    # spawned, not forked: a copy of a process with threads may hang
    own = Workers(workers, get_context("spawn"), initializer=_leave_ctrl_c)
    try:
        yield own
    except BaseException:
        own.shutdown(wait=False, cancel_futures=True)  # what they work on is of no use any more
        raise
    own.shutdown()
