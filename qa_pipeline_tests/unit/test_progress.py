"""The progress bar: animated on a terminal, plain lines elsewhere, and never on standard output."""

import pytest

from qa_pipeline.progress import day_bar


def test_elsewhere_each_step_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Stops control sequences in a log file, and words on standard output, which scripts read."""
    with day_bar("starting", total=2) as bar:
        bar.begin("loading [bold]")
        bar.done()
    out, err = capsys.readouterr()
    assert (out, err) == ("", "loading [bold]\n")


def test_on_a_terminal_it_is_drawn_and_wiped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stops a bar that never moves, or that takes a date for markup."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with day_bar("starting", total=2) as bar:
        bar.begin("loading [bold]")
        bar.done()
        bar.done()
    out, err = capsys.readouterr()
    assert out == ""
    assert "loading [bold]" in err
    assert "2/2" in err
