"""Silence at the very end of a process that ran Great Expectations on DuckDB."""

import atexit
import functools
import os
import sys

_STANDARD_ERROR = 2


@functools.cache
def quiet_exit() -> None:
    """Let nothing be written to standard error once Python has ended all that is ours.

    Importing Great Expectations keeps some of duckdb 2.0's types alive to the end, and its bindings then print pages of
    "nanobind: leaked …". Connections are closed by then. Delete when duckdb stops printing them.
    """

    def silence() -> None:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STANDARD_ERROR)

    atexit.register(silence)
