"""`qa-pipeline ui`: Dagster's webserver and daemon on the loopback interface, and the pages on a port of their own.

The pages must not come from the webserver's origin, from where a script could start runs.
"""

import functools
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import Any

from qa_pipeline.errors import UsageError
from qa_pipeline.instance import PAGES_URL_VARIABLE
from qa_pipeline.settings import Home, project_root

LOOPBACK = "127.0.0.1"
# How long Dagster's processes may take to end by themselves.
PATIENCE_SECONDS = 20


class PagesHandler(http.server.SimpleHTTPRequestHandler):
    """Serves one folder's files, never a listing, and says nothing on the console."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the console is Dagster's."""

    def end_headers(self) -> None:
        """Let no browser guess types or keep an old page."""
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        """Refuse: only pages are served."""
        self.send_error(HTTPStatus.NOT_FOUND, f"{Path(path).name} has no index.html yet")


@contextmanager
def pages_server(folder: Path, *, port: int) -> Iterator[str]:
    """Serve `folder` on the loopback interface while the block runs; yields the address, without a slash at its end.

    Raises UsageError when the port is taken.
    """
    handler = functools.partial(PagesHandler, directory=str(folder))
    try:
        server = http.server.ThreadingHTTPServer((LOOPBACK, port), handler)
    except OSError as err:
        message = f"Port {port} for the pages cannot be used ({err.strerror}): choose another with --pages-port."
        raise UsageError(message) from err
    thread = threading.Thread(target=server.serve_forever, name="pages", daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def check_port(port: int) -> None:
    """Raise UsageError when nothing can listen on `port`: Dagster's own message is a traceback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as err:
            message = f"Port {port} for Dagster cannot be used ({err.strerror}): choose another with --port."
            raise UsageError(message) from err


def dagster_command(port: int) -> list[str]:
    """The command that starts webserver and daemon. Raises UsageError when Dagster's webserver is not installed."""
    program = Path(sys.executable).with_name("dg")
    if not program.exists():
        message = "Dagster's UI is not installed: `pip install -e '.[ui]'` (or `make setup`) installs it."
        raise UsageError(message)
    # Of warnings there is one at every start: that the dagster.yaml beside workspace.yaml is not the one in force.
    return [str(program), "dev", "--host", LOOPBACK, "--port", str(port), "--log-level", "error"]


def serve(home: Home, *, port: int, pages_port: int, ready: Callable[[str, str], None]) -> int:
    """Run Dagster's UI and the pages for `home` until interrupted; returns Dagster's exit code, 0 when interrupted.

    The environment must be set (`instance.settle`). `ready` is called with both addresses once the processes run.
    """
    command = dagster_command(port)
    check_port(port)
    with pages_server(home.reports, port=pages_port) as pages, _interruptible():
        # What activating the environment would set; `dg` warns when it is missing.
        environment = os.environ | {PAGES_URL_VARIABLE: pages, "VIRTUAL_ENV": sys.prefix}
        # A session of its own: ctrl-C reaches this process alone, which then ends the others in order.
        child = subprocess.Popen(command, cwd=project_root(), env=environment, start_new_session=True)  # noqa: S603 - our own command
        try:
            ready(f"http://{LOOPBACK}:{port}", pages)
            return child.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            _end(child)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt, and give children the default action.

    A shell starts background jobs with SIGINT ignored, which a child would inherit: only a kill could end it then.
    """

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    earlier = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End the child and whatever it started, gently first; its session has only processes that it started."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            break
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            child.wait(timeout=PATIENCE_SECONDS)
