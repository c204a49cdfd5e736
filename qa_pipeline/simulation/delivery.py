"""The files of one simulated day: which rows go into which file, broken ones among them, each noted for truth.json.

What a row says is decided elsewhere; how bytes are written is in `writing`.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_pipeline.simulation.arrays import Ints, Rows, Stream, count, join, numbers, take
from qa_pipeline.simulation.dirt import DirtMaker, DirtyRow
from qa_pipeline.simulation.dirt_rules import Record
from qa_pipeline.simulation.labels import PRODUCTION
from qa_pipeline.simulation.models import predicted_items, sample_decisions, score_items
from qa_pipeline.simulation.operation import MODELS, VENDORS
from qa_pipeline.simulation.plan import Plan
from qa_pipeline.simulation.tables import label_table, prediction_table
from qa_pipeline.simulation.timeline import DUPLICATED_VENDOR, LATE_MARKET
from qa_pipeline.simulation.truth import TruthBook
from qa_pipeline.simulation.writing import (
    ENDINGS,
    ParquetFile,
    partition_folder,
    records_of,
    with_records,
    write_parquet,
    write_text,
)

# Broken labels and the labels that broken rows of other feeds point at are this vendor's; its files are neither late
# nor delivered twice, so every broken row breaks its one rule only.
DIRTY_VENDOR = 0
LATE_VENDOR = 2
SAMPLE_ROWS = 40
SAMPLED_CHUNKS = 4
REMEMBERED_IDS = 12


def sample_records(table: pa.Table, size: int) -> list[Record]:
    """Return up to `size` rows of a table, evenly spread."""
    places = np.unique(np.linspace(0, table.num_rows - 1, min(size, table.num_rows)).astype(np.int64))
    return records_of(table.take(pa.array(places)))


@dataclass
class Delivery:
    """Writes the files of one day into the landing folder."""

    plan: Plan
    book: TruthBook
    landing: Path
    day: dt.date
    dirt: DirtMaker

    def deliver(self, feed: str, table: pa.Table) -> None:
        """Write a feed that comes as one file a day, with the day's broken rows at its end."""
        path = self._path(feed, f"{feed}.{ENDINGS[feed]}")
        dirty = self._dirty_rows(feed, sample_records(table, SAMPLE_ROWS), table.num_rows)
        if ENDINGS[feed] == "parquet":
            kept = self._note(path, feed, [row for row in dirty if not row.needs_text])
            self.book.add_file(feed, self.day, rows=write_parquet(path, with_records(table, kept)))
            self._by_hand(feed, [row for row in dirty if row.needs_text])
        elif table.num_rows:
            records = records_of(table) + self._note(path, feed, dirty)
            self.book.add_file(feed, self.day, rows=write_text(path, feed, records))
        self._remember(feed, table)

    def deliver_labels(self, labels: Rows) -> None:
        """Write the decisions of the day, a file per vendor; sets the good labels that dirt is made from."""
        labels = take(labels, np.argsort(labels["submitted"], kind="stable"))
        self.book.add_labels(labels, day=self.day)
        vendor = self.plan.world.vendor[labels["rater"]]
        ours = take(labels, vendor == DIRTY_VENDOR)
        good = self._label_table(take(ours, ours["stage"] == PRODUCTION))
        self.dirt.labels = sample_records(good, SAMPLE_ROWS)
        for number in range(len(VENDORS)):
            mine = take(labels, vendor == number)
            if self.day == self.plan.timeline.late_day and number == LATE_VENDOR:
                mine = self._hold_late(mine)
            if count(mine):
                self._deliver_vendor(number, self._label_table(mine))
        self._remember("labels", good)

    def deliver_predictions(self, items: Rows) -> tuple[Ints, Rows]:
        """Write the scores of the day, a file per model version.

        Returns the first version's decision per item (-1: it has none) and the decisions that QA picks.
        """
        suggested = np.full(count(items), -1, dtype=np.int64)
        if self.plan.predictions_per_day == 0:
            return suggested, {}
        seen = predicted_items(self.plan, items, day=self.day)
        rng = self.plan.rng(Stream.REVIEWS + 1000, self.day)
        picked: list[Rows] = []
        first_row = int(numbers(self.day, 1)[0])
        for model, spec in enumerate(MODELS):
            file = ParquetFile(self._path("predictions", f"predictions-{spec.model_id}-{spec.version}.parquet"))
            samples: list[Record] = []
            for number, chunk in enumerate(
                score_items(self.plan, seen, day=self.day, model=model, first_row=first_row)
            ):
                table = prediction_table(chunk)
                file.write(table)
                first_row += table.num_rows
                picked.append(sample_decisions(self.plan, rng, chunk))
                if model == 0:
                    known = chunk.items["position"] >= 0
                    suggested[chunk.items["position"][known]] = chunk.chosen[known]
                    samples += sample_records(table, SAMPLE_ROWS // SAMPLED_CHUNKS) if number < SAMPLED_CHUNKS else []
            if model == 0:
                self._spoil_predictions(file, samples, table)
            file.close()
            self.book.add_file("predictions", self.day, rows=file.rows)
        return suggested, join(picked)

    def _spoil_predictions(self, file: ParquetFile, samples: list[Record], like: pa.Table) -> None:
        dirty = self._dirty_rows("predictions", samples, file.rows)
        kept = self._note(file.path, "predictions", [row for row in dirty if not row.needs_text])
        if kept:
            file.write(with_records(like.slice(0, 0), kept))
        self._by_hand("predictions", [row for row in dirty if row.needs_text])

    def _deliver_vendor(self, number: int, table: pa.Table) -> None:
        code = VENDORS[number].code
        path = self._path("labels", f"labels-{code}.parquet")
        dirty = self._dirty_rows("labels", self.dirt.labels, table.num_rows) if number == DIRTY_VENDOR else []
        kept = self._note(path, "labels", [row for row in dirty if not row.needs_text])
        self.book.add_file("labels", self.day, rows=write_parquet(path, with_records(table, kept)))
        self._by_hand("labels", [row for row in dirty if row.needs_text])
        if self.day == self.plan.timeline.duplicated_day and number == DUPLICATED_VENDOR:
            again = self._path("labels", f"labels-{code}_redelivered.parquet")
            rows = write_parquet(again, table)
            self.book.add_file("labels", self.day, rows=rows)
            self._incident("duplicated_file", again, rows, {"superseded_file": path.name})

    def _hold_late(self, labels: Rows) -> Rows:
        """Write the late market's part of a vendor's labels to a file of its own and return the rest."""
        is_late = (labels["market"] == LATE_MARKET) & (labels["stage"] == PRODUCTION)
        if is_late.any():
            path = self._path("labels", f"late-{VENDORS[LATE_VENDOR].code}.parquet")
            rows = write_parquet(path, self._label_table(take(labels, is_late)))
            self.book.add_file("labels", self.day, rows=rows)
            self._incident("late_file", path, rows, {"arrives_on": self.plan.timeline.late_arrival})
        return take(labels, ~is_late)

    def _incident(self, kind: str, path: Path, rows: int, more: dict[str, object]) -> None:
        record = {"kind": kind, "feed": "labels", "business_date": self.day, "file": path.name, "rows": rows}
        self.book.files.append(record | more)

    def _label_table(self, labels: Rows) -> pa.Table:
        return label_table(labels, self.plan.world, day=self.day, batches_per_day=self.plan.batches_per_day)

    def _path(self, feed: str, name: str) -> Path:
        return partition_folder(self.landing, feed, self.day) / name

    def _dirty_rows(self, feed: str, clean: list[Record], clean_count: int) -> list[DirtyRow]:
        return self.dirt.rows_for(feed, clean, clean_count=clean_count) if self.plan.has_dirt else []

    def _by_hand(self, feed: str, dirty: list[DirtyRow]) -> None:
        """Write rows that Parquet can't hold (wrong types) as a small CSV file beside it."""
        if dirty:
            path = self._path(feed, f"{feed}-manual.csv")
            self.book.add_file(feed, self.day, rows=write_text(path, feed, self._note(path, feed, dirty)))

    def _note(self, path: Path, feed: str, dirty: list[DirtyRow]) -> list[Record]:
        """Record broken rows for truth.json and return them."""
        for row in dirty:
            where = {"feed": feed, "business_date": self.day.isoformat(), "file": path.name}
            what = {"rule_id": row.rule.rule_id, "action": row.rule.action, "key": row.key}
            self.book.dirty_rows.append(where | what)
        return [row.record for row in dirty]

    def _remember(self, feed: str, clean: pa.Table) -> None:
        if feed in ("labels", "reviews", "appeals"):
            key = {"labels": "label_id", "reviews": "review_id", "appeals": "appeal_id"}[feed]
            if feed == "reviews":
                # Nobody judges an arbitration: a row that takes its id over breaks no rule about another row's target.
                clean = clean.filter(pc.equal(clean["target_kind"].cast(pa.string()), "review"))
            ids = [str(row[key]) for row in sample_records(clean.select([key]), REMEMBERED_IDS)]
            self.dirt.memory.remember(feed, self.day, ids)
