"""What the published figures and pages were made from, as one hash: when it is that of today, there is nothing to make.

Only hashed and compared here. What is made when they differ is decided by `nights` and by the sensor.
"""

import hashlib
from pathlib import Path

import duckdb

from qa_pipeline.config import Config
from qa_pipeline.errors import QaError
from qa_pipeline.publishing import open_published
from qa_pipeline.settings import Home, project_root


def code_fingerprint() -> str:
    """Hash of every file that decides how a figure or page comes out: the package, `sql/` and `expectations/`.

    Not the version: a checkout changes without one.
    """
    digest = hashlib.sha256()
    for folder in (Path(__file__).parent, project_root() / "sql", project_root() / "expectations"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.parent.name != "__pycache__":
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{path.relative_to(folder)}:{content}\n".encode())
    return digest.hexdigest()


def state_fingerprint(con: duckdb.DuckDBPyConnection, config: Config) -> str:
    """Hash of the code, all of the configuration and what every partition of `con` was loaded from."""
    partitions = con.execute("select feed, business_date, fingerprint, status from ops.partitions order by all")
    parts = (
        code_fingerprint(),
        config.fingerprint(),
        config.targets.model_dump_json(),
        config.quality.model_dump_json(),
        *(f"{feed}:{day}:{fingerprint}:{status}" for feed, day, fingerprint, status in partitions.fetchall()),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def note(con: duckdb.DuckDBPyConnection, config: Config) -> None:
    """Write into `ops.made_from` what the marts that are about to be built are made from.

    Publishing copies it, so a warehouse for readers says itself what it is made from. While any date is left to
    rebuild, the hash is empty, which equals none.
    """
    fingerprint = "" if _stale_dates(con) else state_fingerprint(con, config)
    con.execute("delete from ops.made_from")
    con.execute("insert into ops.made_from values (?)", [fingerprint])


def is_current(con: duckdb.DuckDBPyConnection, *, home: Home, config: Config) -> bool:
    """Whether pages and published warehouse are there and made from the state of the working warehouse `con`."""
    if _stale_dates(con) or not (home.reports / "index.html").exists():
        return False
    try:
        with open_published(home) as published:
            return _made_from(published) == state_fingerprint(con, config)
    except QaError:
        return False


def is_self_consistent(published: duckdb.DuckDBPyConnection, config: Config) -> bool:
    """Whether a published warehouse is what today's code and configuration would make of what it was loaded from."""
    return _made_from(published) == state_fingerprint(published, config)


def _made_from(published: duckdb.DuckDBPyConnection) -> str | None:
    try:
        rows: list[tuple[str]] = published.execute("select fingerprint from ops.made_from").fetchall()
    except duckdb.CatalogException:
        return None  # Published by a version that did not write it.
    return rows[0][0] if rows else None


def _stale_dates(con: duckdb.DuckDBPyConnection) -> int:
    return int(con.execute("select count(*) from ops.dirty").fetchall()[0][0])
