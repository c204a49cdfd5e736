"""The pages' own server: loopback only, files only, and plain words when its port is taken."""

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from qa_pipeline.errors import UsageError
from qa_pipeline.serving import LOOPBACK, check_port, pages_server


def _get(address: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - our own address
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as err:
        with err:
            return err.code, dict(err.headers), err.read()


def test_pages_are_served_and_folders_are_not_listed(tmp_path: Path) -> None:
    """Stops a server that shows what lies beside the pages, or lets a browser guess types."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "style.css").write_text("body {}", encoding="utf-8")
    with pages_server(tmp_path, port=0) as address:
        assert address.startswith(f"http://{LOOPBACK}:")
        assert _get(f"{address}/")[0] == 404
        (tmp_path / "index.html").write_text("<h1>Pages</h1>", encoding="utf-8")
        status, headers, body = _get(f"{address}/index.html")
        assert (status, body) == (200, b"<h1>Pages</h1>")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert _get(f"{address}/assets/style.css")[0] == 200
        assert _get(f"{address}/assets/")[0] == 404
        assert _get(f"{address}/../../etc/passwd")[0] == 404


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """Stops a traceback where a sentence says which option to change."""
    with pages_server(tmp_path, port=0) as address:
        port = int(address.rpartition(":")[2])
        with (
            pytest.raises(UsageError, match=f"Port {port} for the pages cannot be used"),
            pages_server(tmp_path, port=port),
        ):
            pass
        with pytest.raises(UsageError, match=f"Port {port} for Dagster cannot be used"):
            check_port(port)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_children_can_be_interrupted_though_a_shell_ignored_it(number: signal.Signals) -> None:
    """Stops a UI started in the background from living for ever: it inherits an ignored SIGINT."""
    script = (
        "import signal, subprocess, sys\n"
        "from qa_pipeline.serving import _interruptible, _end\n"
        "with _interruptible():\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(60)'],\n"
        "                             start_new_session=True)\n"
        "    try:\n"
        "        child.wait()\n"
        "    except KeyboardInterrupt:\n"
        "        _end(child)\n"
        "        print('ended', child.returncode, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509 - no threads yet
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "1\n"
        parent.send_signal(number)
        assert parent.stdout.read() == f"ended {-signal.SIGINT}\n" or parent.returncode == 0
        assert parent.wait(timeout=30) == 0
