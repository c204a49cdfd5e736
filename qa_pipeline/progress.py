"""A progress bar on standard error: animated on a terminal, one plain line a step elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Bar:
    """The bar of a running piece of work."""

    def __init__(self, progress: Progress | None, *, words: str, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(words, total=total) if progress else None

    def begin(self, words: str) -> None:
        """A step begins; `words` say which."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=words)
        else:
            sys.stderr.write(f"{words}\n")

    def done(self) -> None:
        """The step that began is done."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, advance=1)


@contextmanager
def day_bar(words: str, *, total: int) -> Iterator[Bar]:
    """A bar of `total` steps while the block runs; it is wiped from a terminal at the end."""
    console = Console(stderr=True, markup=False)
    if not console.is_terminal:
        yield Bar(None, words=words, total=total)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress, words=words, total=total)
