"""Where things are: the project's own files and the folders of a home.

Only paths and the environment are resolved here, when asked for; nothing is read or written at import.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from qa_pipeline.errors import HomeError

HOME_VARIABLE = "QA_HOME"
PROJECT_VARIABLE = "QA_PROJECT_ROOT"
DEFAULT_HOME = "var"


def project_root() -> Path:
    """Folder that holds `sql/` and `expectations/`: `QA_PROJECT_ROOT`, else the checkout of this package.

    Raises HomeError when the folder has no `sql/` in it.
    """
    named = os.environ.get(PROJECT_VARIABLE)
    root = Path(named) if named else Path(__file__).resolve().parent.parent
    if not (root / "sql").is_dir():
        message = (
            f"{root} has no folder sql/: run qa-pipeline from a checkout (pip install -e .) or set "
            f"{PROJECT_VARIABLE} to one."
        )
        raise HomeError(message)
    return root


@dataclass(frozen=True)
class Home:
    """The folders of one installation; nothing is created until `prepare` is called."""

    root: Path

    @classmethod
    def resolve(cls, path: str | Path | None = None) -> "Home":
        """Home at `path`, else at `QA_HOME`, else `./var`."""
        chosen = path or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME
        return cls(Path(chosen).expanduser().resolve())

    @property
    def config(self) -> Path:
        """Folder of taxonomy.toml, markets.toml and, if wanted, targets.toml, quality.toml, pipeline.toml."""
        return self.root / "config"

    @property
    def landing(self) -> Path:
        """Folder of the landed files: `<feed>/date=YYYY-MM-DD/*`."""
        return self.root / "landing"

    @property
    def warehouse(self) -> Path:
        """The working warehouse: one writer, no readers."""
        return self.root / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """The read-only copy that readers open."""
        return self.root / "published" / "warehouse.duckdb"

    @property
    def reports(self) -> Path:
        """Folder of the pages; `index.html` is the first."""
        return self.root / "reports"

    @property
    def dagster(self) -> Path:
        """Dagster's own home: runs, events, schedules."""
        return self.root / "dagster"

    def prepare(self) -> "Home":
        """Create the folders that are missing and return self.

        Raises HomeError naming the folder that cannot be created or written, and why.
        """
        for folder in (self.root, self.config, self.landing, self.published.parent, self.reports, self.dagster):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except FileExistsError as err:
                message = f"{folder} is a file, but a folder is needed there: move it away or choose another --home."
                raise HomeError(message) from err
            except NotADirectoryError as err:
                message = f"{folder} lies below a file, not a folder: choose another --home."
                raise HomeError(message) from err
            except OSError as err:
                message = f"{folder} cannot be created ({err.strerror}): choose another --home or mend its rights."
                raise HomeError(message) from err
            if not os.access(folder, os.W_OK):
                message = f"{folder} cannot be written: mend its rights or choose another --home."
                raise HomeError(message)
        return self
