"""What the recomputations of quality share: decisions and reviews from landed rows, joined once; roll-ups.

Naive pandas, straight from the definitions in the docs; nothing of the product is imported.
"""

import pandas as pd

Feeds = dict[str, pd.DataFrame]
TARGET = ["kind", "target_id"]


def rows(feeds: Feeds, feed: str, key: str) -> pd.DataFrame:
    """Rows of a feed, of each key on a date the one delivered last; a multi-select label's codes in order.

    A label or review whose key an earlier date used is left out.
    """
    frame = feeds[feed]
    if frame.empty:
        return frame
    frame = frame.drop_duplicates(["business_date", key], keep="last").copy()
    if feed in ("labels", "reviews"):
        frame = frame.sort_values("business_date", kind="stable").drop_duplicates(key)
    for column in frame.columns.intersection(["label", "verdict_label"]):
        frame[column] = frame[column].map(lambda label: "|".join(sorted(set(label.split("|")))))
    return frame


def decisions(feeds: Feeds) -> pd.DataFrame:
    """Labels and predictions: kind, target_id, target_date, rater, vendor, stage, their label and the rest."""
    parts = []
    labels, predictions = rows(feeds, "labels", "label_id"), rows(feeds, "predictions", "prediction_id")
    if not labels.empty:
        parts.append(
            labels.assign(
                kind="label",
                target_id=labels["label_id"],
                rater=labels["annotator_id"],
                decided_at=labels["submitted_at"],
                is_decision=True,
            )
        )
    if not predictions.empty:
        parts.append(
            predictions.assign(
                kind="prediction",
                target_id=predictions["prediction_id"],
                rater=predictions["model_id"] + "@" + predictions["model_version"],
                decided_at=predictions["predicted_at"],
                vendor="",
                stage="production",
            )
        )
    names = ["item_id", "market", "queue", "content_type", "label", "rater", "vendor", "stage", "decided_at"]
    names = [*TARGET, "business_date", *names, "is_decision", "guideline_version"]
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)
    found = found.reindex(columns=names).rename(columns={"business_date": "target_date"})
    return found.assign(guideline_version=found["guideline_version"].fillna(""))


def reviews(feeds: Feeds, made: pd.DataFrame) -> pd.DataFrame:
    """Reviews of labels and predictions, beside the decision judged (columns of `decisions`, its label `decided`).

    Left out: of an unknown decision, of another item, market or queue than the decision's, of the reviewer's own.
    """
    judged = rows(feeds, "reviews", "review_id")
    if judged.empty:
        judged = pd.DataFrame(columns=["target_kind", "target_id", "item_id", "market", "queue", "review_id"])
    judged = judged.rename(columns={"target_kind": "kind"})
    renamed = made.rename(columns={"label": "decided", "item_id": "its_item", "market": "its_market"})
    found = judged.merge(renamed.rename(columns={"queue": "its_queue"}), on=TARGET)
    if found.empty:
        return found
    is_same = (
        (found["item_id"] == found["its_item"])
        & (found["market"] == found["its_market"])
        & (found["queue"] == found["its_queue"])
    )
    is_known = (found["target_date"] <= found["business_date"]) & (found["reviewer_id"] != found["rater"])
    found = found[is_same & is_known].drop(columns=["its_item", "its_market", "its_queue"]).sort_values("target_date")
    return found.drop_duplicates(["business_date", "review_id"], keep="last")


def first_random(judged: pd.DataFrame) -> pd.DataFrame:
    """The first random review of each decision, of the rows of `reviews`."""
    drawn = judged[judged["sampling"] == "random"].sort_values(["reviewed_at", "business_date"], kind="stable")
    return drawn.drop_duplicates([*TARGET, "target_date"])


def weights(chances: pd.Series, *, power: int = 1) -> pd.Series:
    """(1 / inclusion probability) to a `power`, 1 where none is known; in whole millionths, as tallies have them."""
    return (1 / chances.astype(float).fillna(1.0) ** power).round(6)


def effective_number(chances: pd.Series) -> float:
    """Kish's (sum of weights)^2 / sum of squared weights: the number itself where all chances are equal."""
    if len(set(chances.fillna(1.0))) == 1:
        return float(len(chances))
    return float(weights(chances).sum() ** 2 / weights(chances, power=2).sum())


def rolled_up(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows four times: market and queue as they are, and each and both ALL."""
    return pd.concat(
        [frame, frame.assign(queue="ALL"), frame.assign(market="ALL"), frame.assign(market="ALL", queue="ALL")],
        ignore_index=True,
    )


def subjects(frame: pd.DataFrame, kinds: dict[str, str], *, among: pd.Series) -> pd.DataFrame:
    """The rows `among` that count, once for each kind of subject (`kinds`: its column) that they have one of."""
    parts = [frame[among].assign(subject_kind=kind, subject=frame.loc[among, name]) for kind, name in kinds.items()]
    found = pd.concat(parts, ignore_index=True)
    return found[found["subject"].fillna("") != ""]
