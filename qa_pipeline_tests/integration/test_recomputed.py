"""Every mart of defects, control and planning equals a second computation in pandas, from the landed rows."""

import importlib
import pkgutil
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pytest

from qa_pipeline.settings import Home
from qa_pipeline_tests import recomputed
from qa_pipeline_tests.import_support import SHARED_DATA
from qa_pipeline_tests.landed_frames import QUALITY, build, read_landed, simulated_weeks, zencrowd_reviewed

MODULES = {
    module.name: importlib.import_module(f"{recomputed.__name__}.{module.name}")
    for module in pkgutil.iter_modules(recomputed.__path__)
}
MARTS = sorted(name for name, module in MODULES.items() if hasattr(module, "recompute"))
KEY = ["period", "period_start", "period_end", "market", "queue", "subject_kind", "subject", "metric", "reference_kind"]
# Weights are rounded to millionths on both sides, as tallies keep them: what is left is the rounding of floats.
ROUNDING = 1e-9
HOMES = {"simulated": simulated_weeks, "zencrowd": zencrowd_reviewed}


@dataclass(frozen=True)
class Built:
    """A home with marts, and its landed rows."""

    which: str
    home: Home
    feeds: dict[str, pd.DataFrame]


@pytest.fixture(scope="module", params=list(HOMES))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    if request.param == "zencrowd" and not SHARED_DATA.is_dir():
        pytest.skip(f"the shared data is absent: {SHARED_DATA}")
    home = Home(tmp_path_factory.mktemp(request.param) / "home").prepare()
    HOMES[request.param](home)
    (home.config / "quality.toml").write_text(QUALITY, encoding="utf-8")
    build(home)
    return Built(which=request.param, home=home, feeds=read_landed(home))


@pytest.mark.parametrize("name", MARTS)
def test_a_mart_equals_its_second_computation(built: Built, name: str) -> None:
    """Stops any loss, double counting or wrong weight between a landed row and a figure.

    Both ways: every figure computed again is in the mart and equal, and the mart has no others of these periods but
    the kinds that the module names. Figures that the mart leaves out with a reason are compared by their number of
    items. Figures of no items may be missing on either side.
    """
    module = MODULES[name]
    with duckdb.connect(str(built.home.warehouse), read_only=True) as con:
        found = con.sql(f"from marts.{name}").to_arrow_table().to_pandas()
    expected = _dated(module.recompute({feed: frame.copy() for feed, frame in built.feeds.items()}), found)
    # What ZenCrowd has no rows for must be there in the simulated weeks.
    assert built.which == "zencrowd" or len(expected)
    left_out: set[tuple[str, str]] = getattr(module, "LEFT_OUT", set())
    found = found[found["period"].isin(set(expected["period"]) or {"all"})]
    pairs = zip(found["subject_kind"], found["metric"], strict=True)
    found = found[pd.Series([pair not in left_out for pair in pairs], index=found.index, dtype="bool")]
    both = _beside(expected, found)
    _assert_equal(both, [str(column) for column in expected if column not in KEY])
    if "estimate" not in expected:
        assert module.faults(built.feeds, found) == []


def _dated(expected: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """The figures with their period: where they name none, that of all dates."""
    if "period" in expected or expected.empty:
        return expected.reindex(columns=[*KEY, *expected.columns.difference(KEY)])
    span = found.loc[found["period"] == "all", ["period_start", "period_end"]].drop_duplicates()
    assert len(span) == 1
    return expected.assign(period="all", **span.iloc[0])


def _beside(expected: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Rows of both sides; columns of the mart end in _mart."""
    frames = [
        frame.assign(**{name: pd.to_datetime(frame[name]) for name in ("period_start", "period_end")})
        for frame in (expected, found.rename(columns={name: f"{name}_mart" for name in found if name not in KEY}))
    ]
    both = frames[0].merge(frames[1], on=KEY, how="outer", indicator=True, validate="1:1")
    if "n_items" in both:
        is_nothing = both["n_items"].fillna(0).eq(0) & both["n_items_mart"].fillna(0).eq(0)
    else:
        is_nothing = both["n_items_mart"].eq(0)
    alone = both[(both["_merge"] != "both") & ~is_nothing]
    assert alone.empty, alone[[*KEY, "_merge"]]
    return both[both["_merge"] == "both"]


def _assert_equal(both: pd.DataFrame, columns: list[str]) -> None:
    given = both["estimate_mart"].notna()
    assert both.loc[~given, "reason_mart"].notna().all()
    for column in columns:
        rows = both[given] if column == "estimate" else both
        again, stored = rows[column], rows[f"{column}_mart"]
        if pd.api.types.is_numeric_dtype(stored) and not pd.api.types.is_bool_dtype(stored):
            one, other = again.to_numpy(np.float64), stored.to_numpy(np.float64)
            np.testing.assert_allclose(one, other, rtol=ROUNDING, atol=ROUNDING, err_msg=column)
        else:
            texts = [part.astype(object).where(part.notna(), None).to_numpy() for part in (again, stored)]
            np.testing.assert_array_equal(texts[0], texts[1], err_msg=column)
