"""Whether a home's dates are made up: simulated, or spread by the [synthetic] section of a mapping."""

import duckdb

from qa_pipeline.settings import Home
from qa_pipeline.simulation.simulate import TRUTH_FILE

# How an import with made-up dates names its files.
SYNTHETIC_PREFIX = "synthetic-"


def is_synthetic(con: duckdb.DuckDBPyConnection, home: Home) -> bool:
    """True when the home was simulated or any landed file has made-up dates."""
    if (home.root / TRUTH_FILE).exists():
        return True
    found = con.execute(
        "select count(*) from ops.ledger where starts_with(file_name, ?)", [SYNTHETIC_PREFIX]
    ).fetchall()
    return bool(found[0][0])
