"""What every test shares."""

import atexit
import os


def _mute() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


# DuckDB 2.0's bindings print a page about "leaked" types when a process ends in which Great Expectations ran: its
# background threads keep modules alive until after the report. Nothing leaks while the process runs. The handler
# registered first runs last, so whatever else ends can still speak. Delete when nanobind's report is off in DuckDB.
atexit.register(_mute)
