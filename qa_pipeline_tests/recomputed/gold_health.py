"""marts.gold_health once more, from landed rows with plain pandas, for period all.

Nothing of the pipeline is used. Where the mart has no interval for a difference it has no estimate either; here there
is one. Labels that were declared and never decided are not known here.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pandas as pd

COLUMNS = ["market", "queue", "subject_kind", "subject", "metric", "reference_kind", "estimate", "n_items"]
FEWEST = 5


def recompute(feeds: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Rows of period all: COLUMNS, one a market x queue (or ALL), subject, metric and reference_kind."""
    labels = feeds["labels"]
    decided = labels[labels["stage"] == "production"].reset_index(drop=True)
    if decided.empty:
        return pd.DataFrame(columns=COLUMNS)
    decided["row"] = np.arange(len(decided))
    known = _known(decided, feeds["gold"])
    decided = decided.assign(is_known=decided["row"].isin(known["row"]))
    rows: list[tuple[object, ...]] = []
    for market, queue in _cells(decided):
        rows += _of_cell(market, queue, _in(decided, market, queue), _in(known, market, queue))
    return pd.DataFrame(rows, columns=COLUMNS)


def _known(decided: pd.DataFrame, gold: pd.DataFrame) -> pd.DataFrame:
    """Decisions on items with a known answer: the newest one valid then, one of the market first; with exposure."""
    if gold.empty:
        return decided.iloc[:0].assign(key="", is_right=False, is_other=False, exposure=0, handle_ms=0.0)
    answers = gold.rename(columns={"label": "key", "market": "key_market", "guideline_version": "key_guideline"})
    for column in ("key_market", "key_guideline", "valid_from"):
        if column not in answers:
            answers[column] = None
    answers["key_row"] = np.arange(len(answers))
    answers = answers[
        ["item_id", "queue", "key", "key_market", "key_guideline", "valid_from", "business_date", "key_row"]
    ]
    answers = answers.rename(columns={"business_date": "key_date"})
    both = decided.merge(answers, on=["item_id", "queue"])
    own = both["key_market"].fillna("")
    valid_from = pd.to_datetime(both["valid_from"], utc=True)
    both = both[((own == "") | (own == both["market"])) & (valid_from.isna() | (valid_from <= both["submitted_at"]))]
    both["is_own"] = both["key_market"].fillna("") == both["market"]
    both = both.sort_values(["row", "is_own", "key_date", "key_row"]).drop_duplicates("row", keep="last")
    ordered = decided.sort_values(["submitted_at", "business_date", "row"])
    order = ordered.groupby(["market", "queue", "item_id", "annotator_id"]).cumcount() + 1
    both["exposure"] = order.reindex(both["row"]).to_numpy()
    both["is_right"] = both["label"] == both["key"]
    both["handle_ms"] = np.floor(both["handle_seconds"] * 1000 + 0.5)
    guideline = both["guideline_version"].fillna("") if "guideline_version" in both else pd.Series("", index=both.index)
    other = both["key_guideline"].fillna("")
    both["is_other"] = (guideline != "") & (other != "") & (guideline != other)
    return both


def _cells(rows: pd.DataFrame) -> Iterator[tuple[str, str]]:
    yield from product([*sorted(rows["market"].unique()), "ALL"], [*sorted(rows["queue"].unique()), "ALL"])


def _in(rows: pd.DataFrame, market: str, queue: str) -> pd.DataFrame:
    return rows[((market == "ALL") | (rows["market"] == market)) & ((queue == "ALL") | (rows["queue"] == queue))]


def _of_cell(market: str, queue: str, decided: pd.DataFrame, known: pd.DataFrame) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []

    def add(kind: str, subject: str, metric: str, estimate: float, n: int, reference: str = "") -> None:
        rows.append((market, queue, kind, subject, metric, reference, estimate, n))

    if decided.empty:
        return rows
    add("rater_kind", "human", "gold_share", decided["is_known"].mean(), len(decided))
    _of_keys("rater_kind", "human", known, add)
    pairs = _pairs(known)
    vendors = [("vendor", str(vendor), own) for vendor, own in pairs.groupby("vendor")]
    for kind, subject, own in [("rater_kind", "human", pairs), *vendors]:
        if len(own) and subject != "":
            gain = own["is_right"].mean() - own["first_right"].mean()
            add(kind, subject, "leak_accuracy_gain", gain, len(own))
            timed = own[own["handle_ms"].notna() & own["first_ms"].notna()]
            speed = 1 - timed["handle_ms"].sum() / timed["first_ms"].sum() if len(timed) else np.nan
            add(kind, subject, "leak_speed_up", speed, len(timed))
    if queue == "ALL":
        return rows
    by_code = decided.assign(code=decided["label"].str.split("|")).explode("code")
    for code, own in by_code.groupby("code"):
        add("label", str(code), "gold_share", own["is_known"].mean(), len(own))
    for code, own in known.assign(code=known["key"].str.split("|")).explode("code").groupby("code"):
        _of_keys("label", str(code), own, add)
    items = _disagreements(known[known["exposure"] == 1])
    for item, key, k, n, _ in items:
        add("item", item, "disagreement_with_key", k / n, n, key)
    if items:
        suspected = [_wilson_low(k, n) > 0.5 for _, _, k, n, _ in items]
        add("rater_kind", "human", "suspected_key_share", float(np.mean(suspected)), len(items))
        sizes = [each[3] for each in items]
        error = 1 - sum(each[4] for each in items) / sum(sizes)
        by_chance = [_chance_of_suspicion(n, error) for n in sizes]
        add("rater_kind", "human", "suspected_key_share_by_chance", float(np.mean(by_chance)), len(items))
    return rows


def _of_keys(kind: str, subject: str, known: pd.DataFrame, add: Callable[..., None]) -> None:
    if known.empty:
        return
    firsts = known[known["exposure"] == 1]
    if len(firsts):
        add(kind, subject, "first_look_accuracy", firsts["is_right"].mean(), firsts["item_id"].nunique())
    add(kind, subject, "other_guideline_share", known["is_other"].mean(), len(known))
    same, other = (firsts.loc[firsts["is_other"] == side, "is_right"] for side in (False, True))
    gap = same.mean() - other.mean() if len(same) and len(other) else np.nan
    if len(firsts):
        add(kind, subject, "other_guideline_accuracy_gap", gap, len(firsts))


def _pairs(known: pd.DataFrame) -> pd.DataFrame:
    """Decisions of exposure 2 and more on a later date than the annotator's first look, beside that look."""
    cell = ["market", "queue", "item_id", "annotator_id"]
    firsts = known.loc[known["exposure"] == 1, [*cell, "business_date", "is_right", "handle_ms"]]
    firsts = firsts.rename(columns={"business_date": "first_date", "is_right": "first_right", "handle_ms": "first_ms"})
    pairs = known[known["exposure"] > 1].merge(firsts, on=cell)
    return pairs[pairs["first_date"] < pairs["business_date"]]


def _disagreements(looks: pd.DataFrame) -> list[tuple[str, str, int, int, int]]:
    """Item, known answer, decisions for the commonest other label, all, and for the known answer."""
    # The item's replicate, which is left out with it: the first 15 digits of its MD5, modulo 20.
    hashed = [hashlib.md5(item.encode(), usedforsecurity=False).hexdigest() for item in looks["item_id"]]
    looks = looks.assign(replicate=[int(text[:15], 16) % 20 for text in hashed])
    good: dict[int, set[str]] = {}
    for replicate in looks["replicate"].unique():
        others = looks[looks["replicate"] != replicate].groupby("annotator_id")["is_right"].agg(["size", "mean"])
        shares = others.loc[others["size"] >= FEWEST, "mean"].sort_values()
        good[replicate] = set(shares.index[shares >= shares.iloc[(len(shares) - 1) // 2]]) if len(shares) else set()
    found = []
    said: dict[tuple[str, str], list[str]] = {}
    columns = (looks[name] for name in ("item_id", "key", "label", "annotator_id", "replicate"))
    for item, key, label, annotator, replicate in zip(*columns, strict=True):
        if annotator in good[replicate]:
            said.setdefault((str(item), str(key)), []).append(label)
    for (item, key), labels in said.items():
        n = len(labels)
        if n >= FEWEST:
            k = max(Counter(label for label in labels if label != key).values(), default=0)
            found.append((item, key, k, n, labels.count(key)))
    return found


def _chance_of_suspicion(n: int, error: float) -> float:
    """Chance that so many of n independent decisions err that the key is suspected, if all said the same."""
    return sum(math.comb(n, k) * error**k * (1 - error) ** (n - k) for k in range(n + 1) if _wilson_low(k, n) > 0.5)


def _wilson_low(k: int, n: int) -> float:
    z = 1.959963984540054
    share = k / n
    root = np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float((share + z * z / (2 * n) - z * root) / (1 + z * z / n))
