"""What the columns of facts, tallies and ops.late mean, for the UI, where neither a feed nor publishing tells."""

from qa_pipeline.contracts import FEEDS
from qa_pipeline.publishing import COLUMN_DESCRIPTIONS

_OWN = {
    "annotator": "The annotator whose rating was drawn.",
    "content_type": "Kind of content; empty when unknown.",
    "decided_at": "When the decision that counts was made.",
    "decided_on": "Business date of the decision that counts.",
    "decision_id": "label_id or prediction_id of the decision judged.",
    "earlier_date": "Business date of the annotator's decision before.",
    "earlier_label": "Label of the annotator's decision before.",
    "given_at": "When the reference was given; NULL for gold.",
    "given_by": "Who gave the reference; empty for gold.",
    "guideline_version": "Guideline in force for the decision; empty when unknown.",
    "human_label": "Label that the person chose.",
    "inclusion_probability": "Chance with which the decision was picked for review; NULL when it is not a sample.",
    "kind": "What came too late.",
    "label": "Label that was decided.",
    "label_a": "Label of the first rater.",
    "label_b": "Label of the second rater.",
    "model_decided_on": "Business date of the model's decision.",
    "model_label": "Label that the model chose.",
    "model_version": "model_id@model_version; empty for people.",
    "precedence": "Which of several references is believed: 1 first.",
    "rater": "Annotator, or model_id@model_version.",
    "rater_a": "First rater by name; empty for people against a model.",
    "rater_b": "Second rater by name, or the model version.",
    "rater_kind": "human or model.",
    "rater_pool": "production, calibration or model (LLM judges); in tallies also human_model.",
    "reference_kind": "What the decision is judged by: gold, expert, arbitration or qa.",
    "reference_label": "Label held to be right.",
    "row_id": "Number of the row in its partition.",
    "sampling": "How the decision came to be judged; census when all such decisions are.",
    "score_sq_sum_ppm": "Sum of squared scores, parts per million.",
    "score_sum_ppm": "Sum of scores, parts per million.",
    "site": "Office of the annotator by the roster in force; empty when unknown.",
    "subject": "Vendor, annotator or model version that the row is about; empty for the whole pool.",
    "subject_kind": "annotator or vendor.",
    "target_date": "Business date of the decision judged; NULL when it is unknown.",
    "target_item_id": "Item of the decision judged.",
    "target_label": "Label of the decision judged.",
    "target_market": "Market of the decision judged.",
    "target_queue": "Queue of the decision judged.",
    "target_rater": "Who made the decision judged.",
    "target_stage": "Stage of the decision judged: production, expert or calibration; qa for a review.",
    "vendor": "Company of the annotator; empty for models.",
}


def column_docs() -> dict[str, str]:
    """Column name -> meaning."""
    from_feeds = {column.name: column.doc for feed in reversed(FEEDS.values()) for column in feed.columns}
    return from_feeds | _OWN | COLUMN_DESCRIPTIONS
