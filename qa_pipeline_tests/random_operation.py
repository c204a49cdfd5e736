"""A small random operation whose decisions on one item spread over days, and its tallies computed without SQL.

The second implementation is deliberately naive: plain loops over all rows, straight from the definitions in the docs.
"""

import csv
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import md5
from itertools import combinations

from qa_pipeline.settings import Home

FIRST_DAY = date(2026, 3, 1)
MARKETS = ("BR", "JP")
QUEUES = ("hate", "spam")
LABELS = ("a", "b", "c")
Row = dict[str, str]


@dataclass
class Operation:
    """Rows by feed and business date."""

    days: list[date]
    rows: dict[tuple[str, date], list[Row]] = field(default_factory=lambda: defaultdict(list))

    def land(self, home: Home, feed: str, day: date, name: str = "a.csv") -> None:
        """Write one partition's file (nothing when it has no rows)."""
        rows = self.rows.get((feed, day), [])
        if not rows:
            return
        folder = home.landing / feed / f"date={day}"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def write_config(home: Home, *, restate_days: int = 28) -> None:
    """Two markets in UTC, two queues of three labels."""
    home.prepare()
    markets = "".join(f'[markets.{market}]\ntime_zone = "UTC"\n' for market in MARKETS)
    labels = ", ".join(f'{{ code = "{label}", is_violating = {str(label != "a").lower()} }}' for label in LABELS)
    queues = "".join(f"[queues.{queue}]\nlabels = [{labels}]\n" for queue in QUEUES)
    (home.config / "markets.toml").write_text(markets)
    (home.config / "taxonomy.toml").write_text(f'version = "1"\n{queues}')
    (home.config / "pipeline.toml").write_text(f"restate_days = {restate_days}\nthreads = 2\n")


def _vendor(annotator: str) -> str:
    return "V1" if annotator < "A5" else "V2"


def _time(rng: random.Random, day: date) -> str:
    moment = datetime.combine(day, datetime.min.time(), tzinfo=UTC) + timedelta(seconds=rng.randrange(86_400))
    return moment.isoformat()


def random_operation(*, seed: int, days: int, items: int = 60, labels_per_day: int = 60) -> Operation:
    """Labels, predictions, gold, reviews, arbitration and appeals in which everything crosses dates."""
    rng = random.Random(seed)
    calendar = [FIRST_DAY + timedelta(days=offset) for offset in range(days)]
    operation = Operation(calendar)
    decided: list[tuple[date, str, Row]] = []
    reviews: list[tuple[date, Row]] = []
    used_twice: set[str] = set()
    number = 0
    for day in calendar:
        for _ in range(labels_per_day):
            number += 1
            item = rng.randrange(items)
            row = {
                "label_id": f"L{number}",
                "item_id": f"I{item}",
                "market": MARKETS[item % 2] if item % 5 else rng.choice(MARKETS),
                "queue": QUEUES[item // 2 % 2],
                "content_type": "text",
                "annotator_id": (annotator := f"A{rng.randrange(8)}"),
                "vendor": _vendor(annotator),
                "label": rng.choice(LABELS),
                "stage": rng.choices(("production", "expert", "calibration", "qa"), (85, 7, 5, 3))[0],
                "submitted_at": _time(rng, day),
                "batch_id": f"B{number % 3}" if number % 7 else "",
            }
            operation.rows["labels", day].append(row)
            decided.append((day, "label", row))
        for _ in range(labels_per_day // 3):
            number += 1
            item = rng.randrange(items)
            chosen = rng.choice(LABELS)
            market = MARKETS[item % 2]
            model, kind = rng.choice((("m", "classifier"), ("j1", "llm"), ("j2", "llm")))
            version = rng.choice(("1", "2"))
            for label in LABELS:
                row = {
                    "prediction_id": f"P{number}-{label}",
                    "item_id": f"I{item}",
                    "market": market,
                    "queue": QUEUES[item // 2 % 2],
                    "content_type": "text",
                    "model_id": model,
                    "model_version": version,
                    "model_kind": kind,
                    "label": label,
                    "score": f"{rng.random():.6f}",
                    "is_decision": str(label == chosen).lower(),
                    "predicted_at": _time(rng, day),
                }
                operation.rows["predictions", day].append(row)
                if label == chosen:
                    decided.append((day, "prediction", row))
        for place in range(8):
            if rng.random() < 0.8 and day.day % 2:
                name = f"A{place}"
                person = {"annotator_id": name, "vendor": _vendor(name), "site": rng.choice(("Riga", "Lima"))}
                rest = {"market": "BR", "language": "pt", "role": "annotator", "hired_on": "2025-01-01"}
                operation.rows["roster", day].append({**person, **rest, "certified_on": "", "is_active": "true"})
        for item in {rng.randrange(items) for _ in range(3)}:
            operation.rows["gold", day].append(
                {
                    "item_id": f"I{item}",
                    "market": rng.choice(("", MARKETS[item % 2])),
                    "queue": QUEUES[item // 2 % 2],
                    "label": rng.choice(LABELS),
                    "source": "policy",
                    "guideline_version": "g1",
                    "valid_from": "",
                }
            )
        for _ in range(labels_per_day // 4):
            number += 1
            kind, target = rng.choice(("label", "prediction")), None
            if reviews and rng.random() < 0.15:
                kind, target = "review", rng.choice(reviews)[1]
            else:
                candidates = [entry for entry in decided if entry[1] == kind]
                before = [row for _, row in reviews if row["target_kind"] == kind]
                target = rng.choice(candidates)[2]
                if before and rng.random() < 0.2:
                    again = rng.choice(before)["target_id"]
                    target = next(row for *_, row in candidates if row[f"{kind}_id"] == again)
            review = {
                "review_id": f"R{number}",
                "target_kind": kind,
                "target_id": target["review_id" if kind == "review" else f"{kind}_id"],
                "item_id": target["item_id"],
                "market": target["market"],
                "queue": target["queue"],
                "reviewer_id": f"Q{rng.randrange(3)}" if kind != "review" else "ARB",
                "verdict_label": rng.choice(LABELS),
                "error_category": rng.choice(("none", "none", "false_positive", "false_negative")),
                "severity": "minor",
                "is_blind": rng.choice(("true", "false")),
                "sampling": rng.choices(("random", "targeted"), (80, 20))[0],
                "inclusion_probability": rng.choice(("0.25", "0.5", "")),
                "reviewed_at": _time(rng, day),
            }
            if rng.random() < 0.08:
                review["item_id"] = f"I{rng.randrange(items)}"
            operation.rows["reviews", day].append(review)
            earlier = {row["review_id"] for on, row in reviews if on < day} - used_twice
            if earlier and rng.random() < 0.1:
                review["review_id"] = rng.choice(sorted(earlier))
                used_twice.add(review["review_id"])
            elif kind != "review":
                reviews.append((day, review))
    return operation


def _decisions(operation: Operation) -> list[tuple[date, str, int, str, str, Row]]:
    """(date, time, place in the file, pool, rater, row) of everything that pools of agreement take."""
    found = []
    for (feed, day), rows in operation.rows.items():
        for number, row in enumerate(rows):
            if feed == "labels" and row["stage"] in ("production", "calibration"):
                found.append((day, row["submitted_at"], number, row["stage"], row["annotator_id"], row))
            elif feed == "predictions" and row["is_decision"] == "true" and row["model_kind"] == "llm":
                found.append((day, row["predicted_at"], number, "model", row["model_id"], row))
    return found


def expected_units(operation: Operation, *, restate_days: int) -> dict[tuple[date, str, str, str, str], dict[str, Row]]:
    """(date, pool, market or CROSS, queue, item) -> the decision of each rater that counts."""
    decisions = defaultdict(list)
    for entry in _decisions(operation):
        *_, pool, _, row = entry
        decisions[pool, row["market"], row["queue"], row["item_id"]].append(entry)
        decisions[pool, "CROSS", row["queue"], row["item_id"]].append(entry)
    units = {}
    for (pool, market, queue, item), entries in decisions.items():
        first = min(entry[0] for entry in entries)
        last: dict[str, Row] = {}
        markets = set()
        for day, _, _, _, rater, row in sorted(entries, key=lambda entry: entry[1:3]):
            if (day - first).days <= restate_days:
                last[rater] = row
                markets.add(row["market"])
        if market != "CROSS" or len(markets) > 1:
            units[first, pool, market, queue, item] = last
    return units


def expected_human_model(operation: Operation, *, restate_days: int) -> list[tuple[date, str, str, str, str, str]]:
    """(date, market, queue, model version, the drawn person's label, the model's label) of every unit and version."""
    found = []
    for (day, pool, market, queue, item), ratings in expected_units(operation, restate_days=restate_days).items():
        if pool != "production" or market == "CROSS":
            continue
        drawn = min(
            ratings,
            key=lambda rater: (
                int(md5(f"{item}/{rater}".encode(), usedforsecurity=False).hexdigest()[:15], 16) % 1000000007
            ),
        )
        last: dict[str, tuple[tuple[str, date, int], str]] = {}
        for (feed, predicted_on), rows in operation.rows.items():
            for number, row in enumerate(rows):
                is_near = feed == "predictions" and abs((predicted_on - day).days) <= restate_days
                if is_near and row["is_decision"] == "true" and _place(row) == (market, queue, item):
                    version = f"{row['model_id']}@{row['model_version']}"
                    rank = (row["predicted_at"], predicted_on, number)
                    last[version] = max(last.get(version, (rank, row["label"])), (rank, row["label"]))
        found += [(day, market, queue, version, ratings[drawn]["label"], label) for version, (_, label) in last.items()]
    return found


def expected_unit_patterns(operation: Operation, *, restate_days: int) -> Counter[tuple[str, ...]]:
    """(date, market, queue, pool, subject, pattern) -> units, from the definition of a unit of agreement."""
    patterns: Counter[tuple[str, ...]] = Counter()
    for (day, pool, market, queue, _), ratings in expected_units(operation, restate_days=restate_days).items():
        pattern = ",".join(sorted(row["label"] for row in ratings.values()))
        patterns[day.isoformat(), market, queue, pool, "", pattern] += 1
    for day, market, queue, version, human, model in expected_human_model(operation, restate_days=restate_days):
        pattern = ",".join(sorted((human, model)))
        patterns[day.isoformat(), market, queue, "human_model", version, pattern] += 1
    return patterns


def expected_pairs(operation: Operation, *, restate_days: int) -> Counter[tuple[str, ...]]:
    """(date, market, queue, pool, first rater, second rater, their labels) -> items that both rated."""
    pairs: Counter[tuple[str, ...]] = Counter()
    for (day, pool, market, queue, _), ratings in expected_units(operation, restate_days=restate_days).items():
        if market != "CROSS" and pool != "calibration":
            for one, other in combinations(sorted(ratings), 2):
                labels = (ratings[one]["label"], ratings[other]["label"])
                pairs[day.isoformat(), market, queue, pool, one, other, *labels] += 1
    for day, market, queue, version, human, model in expected_human_model(operation, restate_days=restate_days):
        pairs[day.isoformat(), market, queue, "human_model", "", version, human, model] += 1
    return pairs


def expected_rater_patterns(operation: Operation, *, restate_days: int) -> Counter[tuple[str, ...]]:
    """(date, market, queue, kind of subject, subject, own ratings, the others') -> units with two ratings or more."""
    found: Counter[tuple[str, ...]] = Counter()
    for (day, pool, market, queue, _), ratings in expected_units(operation, restate_days=restate_days).items():
        if pool != "production" or market == "CROSS" or len(ratings) == 1:
            continue
        for kind, of_row in (("annotator", "annotator_id"), ("vendor", "vendor")):
            for subject in {row[of_row] for row in ratings.values()}:
                own = sorted(row["label"] for row in ratings.values() if row[of_row] == subject)
                others = sorted(row["label"] for row in ratings.values() if row[of_row] != subject)
                found[day.isoformat(), market, queue, kind, subject, ",".join(own), ",".join(others)] += 1
    return found


def expected_repeats(operation: Operation, *, restate_days: int) -> Counter[tuple[str, ...]]:
    """(date, market, queue, annotator, whether the same) -> decisions on items that they had decided on before."""
    by_day: dict[tuple[str, str, str, str], dict[date, tuple[str, int, str]]] = defaultdict(dict)
    for day, at, number, pool, rater, row in _decisions(operation):
        if pool == "production":
            held = by_day[*_place(row), rater]
            held[day] = max(held.get(day, ("", 0, "")), (at, number, row["label"]))
    found: Counter[tuple[str, ...]] = Counter()
    for (market, queue, _, rater), labels in by_day.items():
        for day, (_, _, label) in labels.items():
            before = [other for other in labels if 0 < (day - other).days <= restate_days]
            if before:
                is_same = labels[max(before)][2] == label
                found[day.isoformat(), market, queue, rater, str(is_same)] += 1
    return found


def _place(row: Row) -> tuple[str, str, str]:
    return row["market"], row["queue"], row["item_id"]


def _judgements(operation: Operation) -> list[tuple[date, int, Row]]:
    """Reviews that count: of a decision of that day or before, on the same item, that is not the reviewer's own.

    Of the rows with one review_id only those of the first day count; arbitration judges these too.
    """
    owner: dict[tuple[str, str], tuple[date, str, str, str, str]] = {}
    for (feed, day), rows in sorted(operation.rows.items(), key=lambda entry: entry[0][1]):
        for row in rows:
            if feed == "labels":
                owner["label", row["label_id"]] = (day, row["annotator_id"], *_place(row))
            elif feed == "predictions":
                owner["prediction", row["prediction_id"]] = (day, "", *_place(row))
            elif feed == "reviews":
                owner.setdefault(("review", row["review_id"]), (day, row["reviewer_id"], *_place(row)))
    kept = []
    for (feed, day), rows in operation.rows.items():
        if feed == "reviews":
            for number, row in enumerate(rows):
                target = owner.get((row["target_kind"], row["target_id"]))
                is_known = target is not None and target[0] <= day and target[1] != row["reviewer_id"]
                is_known &= owner["review", row["review_id"]][0] == day
                if is_known and target is not None and target[2:] == _place(row):
                    kept.append((day, number, row))
    return kept


def _item_references(operation: Operation) -> list[tuple[int, date, str, str, int, Row, str, str]]:
    """(precedence, date, time, kind, row, row's columns, label, given by) of everything that settles an item."""
    found = []
    for (feed, day), rows in operation.rows.items():
        for number, row in enumerate(rows):
            if feed == "gold":
                found.append((1, day, "", "gold", number, row, row["label"], ""))
            elif feed == "labels" and row["stage"] == "expert":
                found.append((2, day, row["submitted_at"], "expert", number, row, row["label"], row["annotator_id"]))
    for day, number, row in _judgements(operation):
        if row["target_kind"] == "review":
            by = row["reviewer_id"]
            found.append((2, day, row["reviewed_at"], "arbitration", number, row, row["verdict_label"], by))
    return found


def expected_outcomes(operation: Operation, *, restate_days: int) -> Counter[tuple[str, ...]]:
    """(date, market, queue, rater, label, reference label, reference kind, sampling) -> decisions judged."""
    judged: list[tuple[date, str, str, str, Row]] = []
    last: dict[tuple[str, ...], tuple[date, str, int, Row]] = {}
    first: dict[tuple[str, ...], date] = {}
    entries = [
        (day, row["submitted_at"], number, row)
        for (feed, day), rows in operation.rows.items()
        if feed == "labels"
        for number, row in enumerate(rows)
        if row["stage"] == "production"
    ]
    for day, _, _, row in sorted(entries, key=lambda entry: entry[:3]):
        unit = (row["market"], row["queue"], row["item_id"])
        first.setdefault(unit, day)
    for entry in sorted(entries, key=lambda entry: entry[1:3]):
        unit = (entry[3]["market"], entry[3]["queue"], entry[3]["item_id"])
        if (entry[0] - first[unit]).days <= restate_days:
            last[*unit, entry[3]["annotator_id"]] = entry
    judged += [(day, "label", row["label_id"], row["annotator_id"], row) for day, _, _, row in last.values()]
    for (feed, day), rows in operation.rows.items():
        if feed == "predictions":
            for row in rows:
                if row["is_decision"] == "true":
                    rater = f"{row['model_id']}@{row['model_version']}"
                    judged.append((day, "prediction", row["prediction_id"], rater, row))
    references, reviews = _item_references(operation), _judgements(operation)
    counts: Counter[tuple[str, ...]] = Counter()
    for day, kind, decision_id, rater, row in judged:
        options = []
        for precedence, given_on, at, reference_kind, number, source, label, by in references:
            same = (source["queue"], source["item_id"]) == (row["queue"], row["item_id"])
            if (
                same
                and source["market"] in ("", row["market"])
                and (given_on - day).days <= restate_days
                and by != rater
            ):
                rank = (-precedence, given_on, at, reference_kind, number)
                options.append((rank, label, reference_kind, "census"))
        for given_on, number, review in reviews:
            is_own = (review["target_kind"], review["target_id"]) == (kind, decision_id)
            if is_own and review["is_blind"] == "true" and (given_on - day).days <= restate_days:
                rank = (-3 if review["sampling"] == "random" else -4, given_on, review["reviewed_at"], "qa", number)
                options.append((rank, review["verdict_label"], "qa", review["sampling"]))
        if options:
            _, label, reference_kind, sampling = max(options)
            key = (day.isoformat(), row["market"], row["queue"], rater, row["label"], label, reference_kind, sampling)
            counts[key] += 1
    return counts


def _reviewed(operation: Operation, *, restate_days: int) -> list[tuple[date, date, Row, Row]]:
    """(date of the decision, of the review, decision, review): of a decision's random reviews the first alone."""
    decisions = {
        (kind, row[f"{kind}_id"]): (day, row)
        for (feed, day), rows in operation.rows.items()
        for kind in ("label", "prediction")
        if feed == f"{kind}s"
        for row in rows
    }
    seen: set[tuple[str, str]] = set()
    found = []
    for reviewed_on, _, review in sorted(
        _judgements(operation), key=lambda entry: (entry[2]["reviewed_at"], entry[:2])
    ):
        target = (review["target_kind"], review["target_id"])
        if target[0] == "review" or (reviewed_on - decisions[target][0]).days > restate_days:
            continue
        if review["sampling"] != "random" or target not in seen:
            found.append((decisions[target][0], reviewed_on, decisions[target][1], review))
        if review["sampling"] == "random":
            seen.add(target)
    return found


def expected_reviews(operation: Operation, *, restate_days: int) -> Counter[tuple[str, ...]]:
    """(date of the decision, market, queue, target kind, rater, error category, sampling, blind) -> reviews."""
    counts: Counter[tuple[str, ...]] = Counter()
    for day, _, decision, row in _reviewed(operation, restate_days=restate_days):
        if decision.get("stage", "production") == "production":
            kind, category = row["target_kind"], row["error_category"]
            is_label = kind == "label"
            rater = decision["annotator_id"] if is_label else f"{decision['model_id']}@{decision['model_version']}"
            how = (row["sampling"], row["is_blind"].capitalize())
            counts[day.isoformat(), row["market"], row["queue"], kind, rater, category, *how] += 1
    return counts


def expected_largest_weights(operation: Operation, *, restate_days: int) -> dict[tuple[str, ...], int]:
    """(date of the decision, market, queue, target kind) -> the largest 1 / inclusion probability, in 1e-6."""
    largest: dict[tuple[str, ...], int] = {}
    for day, _, decision, row in _reviewed(operation, restate_days=restate_days):
        if decision.get("stage", "production") == "production":
            key = (day.isoformat(), row["market"], row["queue"], row["target_kind"])
            weight = round(1_000_000 / float(row["inclusion_probability"] or 1))
            largest[key] = max(weight, largest.get(key, 0))
    return largest


def expected_gold(operation: Operation, *, restate_days: int) -> Counter[tuple[str, ...]]:
    """(date, market, queue, item, annotator, label, known answer, exposure) -> production decisions with one."""
    answers = [
        (day, number, row)
        for (feed, day), rows in operation.rows.items()
        if feed == "gold"
        for number, row in enumerate(rows)
    ]
    made = [
        (day, at, number, rater, row)
        for day, at, number, pool, rater, row in _decisions(operation)
        if pool == "production"
    ]
    found: Counter[tuple[str, ...]] = Counter()
    for day, at, number, rater, row in made:
        market, queue, item = _place(row)
        known = [
            (answer["market"] == market, given_on, place, answer["label"])
            for given_on, place, answer in answers
            if (answer["queue"], answer["item_id"]) == (queue, item)
            and answer["market"] in ("", market)
            and (given_on - day).days <= restate_days
        ]
        if known:
            seen = [
                other
                for other in made
                if (_place(other[4]), other[3]) == ((market, queue, item), rater)
                and (day - other[0]).days <= restate_days
                and (other[1], other[0], other[2]) <= (at, day, number)
            ]
            answer = max(known)[3]
            found[day.isoformat(), market, queue, item, rater, row["label"], answer, str(min(len(seen), 3))] += 1
    return found


def expected_lots(operation: Operation, *, restate_days: int) -> Counter[tuple[str, ...]]:
    """(date, market, queue, vendor, lot, sort, severity, place, is defect, reviewed on, weight) -> number of them.

    The weight is that of all reviews that the row counts, in parts per million.
    """
    decisions = {
        row["label_id"]: (day, row)
        for (feed, day), rows in operation.rows.items()
        if feed == "labels"
        for row in rows
        if row["stage"] == "production" and row["batch_id"]
    }
    first: dict[str, tuple[date, str, int, Row]] = {}
    for reviewed_on, number, review in _judgements(operation):
        target = review["target_id"]
        if review["target_kind"] == "label" and review["sampling"] == "random" and target in decisions:
            entry = (reviewed_on, review["reviewed_at"], number, review)
            if (reviewed_on - decisions[target][0]).days <= restate_days:
                first[target] = min(first.get(target, entry), entry, key=lambda each: each[:3])
    lots: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for target, (day, row) in decisions.items():
        lots[day.isoformat(), row["market"], row["queue"], row["vendor"], row["batch_id"]].append(target)
    counts: Counter[tuple[str, ...]] = Counter()
    weights: Counter[tuple[str, ...]] = Counter()
    for lot, targets in lots.items():
        counts[*lot, "decision", "", "0", "False", lot[0]] = len(targets)
        reviewed = sorted(
            (target for target in targets if target in first), key=lambda each: (*first[each][:2], _hashed(each))
        )
        chances = [
            first[target][3]["inclusion_probability"]
            for other, all_targets in lots.items()
            if other[:4] == lot[:4]
            for target in all_targets
            if target in first
        ]
        completed = 0
        for target in reviewed:
            review = first[target][3]
            has_defect = review["error_category"] != "none"
            sort = _sort_of_review(target, review["inclusion_probability"], chances)
            completed += sort == "review"
            place = completed if has_defect and sort == "review" else 0
            severity = review["severity"] if has_defect else ""
            key = (*lot, sort, severity, str(place), str(has_defect), first[target][0].isoformat())
            counts[key] += 1
            weights[key] += int(1_000_000 / float(review["inclusion_probability"] or 1))
    return Counter({(*key, str(weights[key])): n for key, n in counts.items()})


def _sort_of_review(target: str, chance: str, chances: list[str]) -> str:
    """What a review is to the sample of its lot: `chances` are those of all reviews of its stratum and date."""
    if "" in chances and any(chances):
        return "unstated"
    share = min(float(each or 1) for each in chances) / float(chance or 1)
    uniform = int(md5(f"lot|{target}".encode(), usedforsecurity=False).hexdigest()[:15], 16) % 1_000_000 / 1_000_000
    return "review" if uniform < share else "left_out"


def _hashed(text: str) -> tuple[str, str]:
    return md5(text.encode(), usedforsecurity=False).hexdigest(), text


def _verdicts(operation: Operation, *, restate_days: int) -> list[tuple[tuple[str, ...], int]]:
    """Blind verdicts, and the weight of each in parts per million.

    (date, market, queue, reviewer, kind, sampling, whether called a defect, what arbitration found, its sampling).
    """
    arbitrations = [entry for entry in _judgements(operation) if entry[2]["target_kind"] == "review"]
    found: list[tuple[tuple[str, ...], int]] = []
    for _, day, decision, row in _reviewed(operation, restate_days=restate_days):
        if row["is_blind"] != "true":
            continue
        later = [
            (other["sampling"] != "random", other["reviewed_at"], given_on, number, other)
            for given_on, number, other in arbitrations
            if other["target_id"] == row["review_id"]
            and other["is_blind"] == "true"
            and (given_on - day).days <= restate_days
        ]
        is_called, outcome, sampling, chance = row["error_category"] != "none", "", "", 1.0
        if later:
            chosen = min(later, key=lambda entry: entry[:4])[4]
            is_confirmed = chosen["error_category"] == "none" and chosen["verdict_label"] == row["verdict_label"]
            is_other = chosen["verdict_label"] != decision["label"]
            is_missed = not is_called and chosen["error_category"] != "none"
            outcome = "defect" if (is_called if is_confirmed else is_other or is_missed) else "none"
            sampling, chance = chosen["sampling"], float(chosen["inclusion_probability"] or 1)
        place = (day.isoformat(), row["market"], row["queue"], row["reviewer_id"], row["target_kind"])
        key = (*place, row["sampling"], str(is_called), outcome, sampling)
        found.append((key, int(1_000_000 / (chance * float(row["inclusion_probability"] or 1)))))
    return found


def expected_verdicts(operation: Operation, *, restate_days: int) -> Counter[tuple[str, ...]]:
    """Number of verdicts that `_verdicts` does not tell apart."""
    return Counter(key for key, _ in _verdicts(operation, restate_days=restate_days))


def expected_verdict_weights(operation: Operation, *, restate_days: int) -> Counter[tuple[str, ...]]:
    """Their weights, added up."""
    weights: Counter[tuple[str, ...]] = Counter()
    for key, weight in _verdicts(operation, restate_days=restate_days):
        weights[key] += weight
    return weights


def expected_annotators(operation: Operation, *, restate_days: int) -> Counter[tuple[str, ...]]:
    """(date, market, queue, vendor, annotator, label) -> production decisions; `restate_days` changes nothing."""
    del restate_days
    return Counter(
        (day.isoformat(), row["market"], row["queue"], row["vendor"], rater, row["label"])
        for day, _, _, pool, rater, row in _decisions(operation)
        if pool == "production"
    )
