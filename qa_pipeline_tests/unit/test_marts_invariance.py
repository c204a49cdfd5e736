"""Names and order mean nothing: marts of agreement from single ratings, through the tallies' own SQL.

Two markets; a queue of each scale and one with several labels an item; four annotators of two vendors, three ratings in
ten missing, so that units have one to four of them. What is renamed keeps its place: labels of a queue whose scale has
an order keep it, or their values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from qa_pipeline.config import (
    Config,
    LabelConfig,
    MarketConfig,
    Markets,
    PipelineConfig,
    QueueConfig,
    Scale,
    Targets,
    Taxonomy,
)
from qa_pipeline.marts.build import build_marts
from qa_pipeline_tests.tally_tables import DAY, SQL_ROOT, MartRow, empty_warehouse, read_mart, tally_ratings

Names = Mapping[str, str]
MARTS = ("agreement", "agreement_change", "rater_pairs", "rater_vitality", "confusion_pairs")
ANNOTATORS = {"ann": "v1", "bea": "v1", "cy": "v2", "dan": "v2"}
MARKETS = ("AU", "GB")
SCALES: dict[str, Scale] = {
    "named": "nominal",
    "ordered": "ordinal",
    "measured": "interval",
    "counted": "ratio",
    "tagged": "nominal",
}
LABELS = ("a", "b", "c", "d")
VALUES = (1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class _World:
    """Ratings in the shape of facts.ratings, and the labels of each queue in the taxonomy's order."""

    ratings: pd.DataFrame
    labels: dict[str, tuple[str, ...]]


def _world(seed: int, *, items: int) -> _World:
    """Annotators who are right in seven decisions of ten; `items` in each queue, over two weeks."""
    rng = np.random.default_rng(seed)
    rows = []
    for queue in SCALES:
        chosen = (*LABELS[:2], "a|b", "b|c") if queue == "tagged" else LABELS
        prevalence = rng.dirichlet(np.ones(len(chosen)))
        for item in range(items):
            truth = rng.choice(len(chosen), p=prevalence)
            for annotator, vendor in ANNOTATORS.items():
                guess = rng.choice(len(chosen), p=prevalence)
                if rng.random() < 0.7:
                    own = {"rater": annotator, "vendor": vendor, "queue": queue, "item_id": f"{queue}{item}"}
                    label = chosen[truth if rng.random() < 0.7 else guess]
                    rows.append(own | {"label": label, "market": MARKETS[item % 2], "replicate": item // 2 % 20})
                    rows[-1]["business_date"] = DAY + timedelta(days=7 * (item // 3 % 2))
    frame = pd.DataFrame(rows).assign(rater_pool="production", guideline_version="")
    return _World(frame, dict.fromkeys(SCALES, LABELS))


def _config(world: _World) -> Config:
    queues = {
        queue: QueueConfig(
            labels=tuple(
                LabelConfig(code=label, is_violating=False, value=value)
                for label, value in zip(world.labels[queue], VALUES, strict=True)
            ),
            scale=scale,
            is_multi_select=queue == "tagged",
        )
        for queue, scale in SCALES.items()
    }
    return Config(
        taxonomy=Taxonomy(version="1", queues=queues),
        markets=Markets(markets={code: MarketConfig(time_zone="UTC") for code in MARKETS}),
        targets=Targets(),
        pipeline=PipelineConfig(),
    )


def _marts(world: _World) -> dict[tuple[object, ...], MartRow]:
    """Rows of the marts by mart and key, from the ratings by the tallies' SQL."""
    with empty_warehouse() as con:
        tally_ratings(con, world.ratings)
        build_marts(con, sql_root=SQL_ROOT, config=_config(world))
        rows = {(mart, *_key(row)): row for mart in MARTS for row in read_mart(con, mart)}
        assert len(rows) == sum(con.execute(f"select count(*) from marts.{mart}").fetchall()[0][0] for mart in MARTS)
    return rows


def _key(row: MartRow) -> tuple[object, ...]:
    """The mart's key; a pair has no order, because renaming may turn it round."""
    joint = next((mark for mark in (" & ", " / ") if mark in row.subject), None)
    subject = frozenset(row.subject.split(joint)) if joint else row.subject
    return (
        row.period,
        row.period_end,
        row.market,
        row.queue,
        row.subject_kind,
        subject,
        row.metric,
        row.reference_kind,
    )


def _assert_same(place: int, after: _World, rename: Callable[[MartRow], MartRow] = lambda row: row) -> None:
    expected = {}
    for (mart, *_), row in _as_they_are(place).items():
        renamed = rename(row)
        expected[mart, *_key(renamed)] = renamed
    found = _marts(after)
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        other = found[key]
        numbers = [(each.estimate, each.ci_low, each.ci_high) for each in (row, other)]
        # Sums of at most 2,000 ratings in another order: 1e-12 of rounding, times at most 1e3 where alpha is steep.
        assert numbers[0] == pytest.approx(numbers[1], abs=1e-9, nan_ok=True), key
        for name in ("n_items", "n_ratings", "method", "reason"):
            assert getattr(row, name) == getattr(other, name), (key, name)


def _new(name: str, names: Names) -> str:
    """A name, or several joined by a mark that the marts use, renamed; the codes of a set are sorted again."""
    for mark in (" & ", " / "):
        if mark in name:
            return mark.join(_new(each, names) for each in name.split(mark))
    return "|".join(sorted(names.get(code, code) for code in name.split("|")))


# Two labels of a cell of each are equally common: once the alphabet decided between them.
WORLDS = (_world(63, items=240), _world(28112511, items=30))
# A build takes a second or two, so few are made and a failure is not shrunk.
few = settings(max_examples=3, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
any_world = st.sampled_from(range(len(WORLDS)))


@cache
def _as_they_are(place: int) -> dict[tuple[object, ...], MartRow]:
    return _marts(WORLDS[place])


@few
@given(any_world, st.integers(0, 2**32 - 1))
def test_the_order_of_rows_means_nothing(place: int, seed: int) -> None:
    """Stops a figure that depends on which row of a table came first."""
    world = WORLDS[place]
    shuffled = world.ratings.sample(frac=1, random_state=seed)
    _assert_same(place, replace(world, ratings=shuffled))


@few
@given(any_world, st.permutations(["zoe", "yan", "bo", "al"]), st.permutations(["w1", "w2"]))
def test_names_of_annotators_and_vendors_mean_nothing(
    place: int, annotators: Sequence[str], vendors: Sequence[str]
) -> None:
    """Stops a figure that depends on who comes first in the alphabet."""
    world = WORLDS[place]
    who = dict(zip(ANNOTATORS, annotators, strict=True))
    whose = dict(zip(("v1", "v2"), vendors, strict=True))
    ratings = world.ratings.assign(rater=world.ratings["rater"].map(who), vendor=world.ratings["vendor"].map(whose))

    def rename(row: MartRow) -> MartRow:
        is_person = row.subject_kind in ("annotator", "vendor", "pair")
        return replace(row, subject=_new(row.subject, who | whose)) if is_person else row

    _assert_same(place, replace(world, ratings=ratings), rename)


@few
@given(any_world, st.permutations(["z", "y", "k", "c"]))
def test_names_of_labels_mean_nothing(place: int, names: Sequence[str]) -> None:
    """Stops a figure that depends on what labels are called: order and values are the taxonomy's alone."""
    world = WORLDS[place]
    called = dict(zip(LABELS, names, strict=True))
    ratings = world.ratings.assign(label=[_new(label, called) for label in world.ratings["label"]])
    labels = {queue: tuple(called[label] for label in own) for queue, own in world.labels.items()}

    def rename(row: MartRow) -> MartRow:
        return replace(row, subject=_new(row.subject, called)) if row.subject_kind == "label_pair" else row

    _assert_same(place, _World(ratings, labels), rename)


def test_the_worlds_have_figures_of_every_kind() -> None:
    """Stops the tests above from comparing nothing but gaps."""
    rows = _as_they_are(0)
    assert {mart for mart, *_ in rows} == set(MARTS)
    methods = {row.method for row in rows.values()}
    assert methods >= {"jackknife", "linearised", "wilson", "wilson_kish", "difference"}
    for metric in ("krippendorff_alpha", "gwet_ac2", "vitality", "cohen_kappa_weighted", "alpha_gain_if_merged"):
        own = [row for row in rows.values() if row.metric == metric and np.isfinite(row.ci_low)]
        assert len({row.queue for row in own} - {"ALL"}) >= 4, metric
