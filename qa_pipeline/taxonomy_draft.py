"""Drafting and extending `taxonomy.toml` from the queues and labels that an import saw.

The guess which labels are violating belongs here, and the rule that a queue has two labels or more.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from qa_pipeline import toml_text
from qa_pipeline.config import QueueConfig, Taxonomy
from qa_pipeline.config_plan import (
    MOST_NOTES,
    ConfigPlan,
    Seen,
    checked_text,
    first_notes,
    parse_config,
    read_config,
    unknown_code,
    usable_codes,
)
from qa_pipeline.errors import ConfigError
from qa_pipeline.messages import counted

MOST_LABELS = 500
# fmt: off
NOT_VIOLATING = frozenset((
    "none", "no", "ok", "okay", "safe", "benign", "clean", "neutral", "normal", "allow", "allowed", "approve",
    "approved", "acceptable", "compliant", "negative", "nothing", "ignore", "unsure", "unclear", "unknown",
    "dont_know", "skip", "skipped", "pass", "n/a", "na", "0", "false",
))
# fmt: on
_NOT_VIOLATING_START = ("no_", "not_", "non_", "no-", "not-", "non-")
_TAXONOMY_HEAD = """\
# Queues and their labels. A row whose queue or label is not here is quarantined.
# Drafted from an import. is_violating is guessed from the label's name: check each one.
# scale is nominal, or ordinal if the order of the labels counts; severity_weight (default 1.0) weighs a label.

version = "1"
"""


def is_violating_guess(label: str) -> bool:
    """Whether a label's name sounds like a violation; a guess for people to check.

    >>> [is_violating_guess(name) for name in ("hate", "not_hate", "No_Violation", "ok")]
    [True, False, False, False]
    """
    code = label.strip().lower()
    return code not in NOT_VIOLATING and not code.startswith(_NOT_VIOLATING_START)


def plan_taxonomy(path: Path, plan: ConfigPlan, *, seen: Seen, extend: bool) -> None:
    """Add to `plan` what `taxonomy.toml` at `path` needs. Raises ConfigError as `drafting.plan_config` tells."""
    text = read_config(path)
    if text is None and not seen.has_labels:
        plan.notes.append(
            f"{path} was not drafted, because this feed carries no labels: import labels, predictions or gold too, "
            "or write it by hand (docs/configure.md)."
        )
        return
    known = {} if text is None else parse_config(path, text, Taxonomy).queues
    is_written = text is None or (extend and seen.has_labels)
    found = {
        queue: _codes(plan, queue, seen.labels.get(queue, {}), is_written=is_written)
        for queue in usable_codes(plan, "queue", seen.queues)
    }
    new = {
        queue: [code for code in codes if queue not in known or code not in _declared(known[queue])]
        for queue, codes in found.items()
    }
    if not is_written:
        _tell_unknown(plan, seen=seen, new=new, known=known, path=path)
    elif found:
        changed = _TAXONOMY_HEAD if text is None else text
        for queue, codes in new.items():
            changed = _with_codes(plan, changed, queue, codes, seen=seen, known=known, path=path)
        if changed != text:
            plan.files[path.name] = checked_text(path, changed, Taxonomy, adding="what was seen")
        if text is None:
            plan.notes.append(_drafted(path, found))


def _drafted(path: Path, found: Mapping[str, Sequence[str]]) -> str:
    violating = sorted({code for codes in found.values() for code in codes if is_violating_guess(code)})
    return (
        f"Drafted {path}: queues {', '.join(found)}. Which labels are violating is a guess from their names "
        f"({', '.join(violating) or 'none'}): check is_violating."
    )


def _tell_unknown(
    plan: ConfigPlan, *, seen: Seen, new: Mapping[str, Sequence[str]], known: Mapping[str, object], path: Path
) -> None:
    for queue, codes in new.items():
        if queue not in known:
            plan.notes.append(unknown_code("queue", queue, rows=seen.queues[queue], path=path))
            continue
        counts = {
            code: sum(n for label, n in seen.labels[queue].items() if code in label.split("|"))
            for code in codes[: MOST_NOTES + 1]
        }
        kind = f"label of queue {queue}:"
        told = [unknown_code(kind, code, rows=counts.get(code, 0), path=path) for code in codes]
        plan.notes += first_notes(told)


def _with_codes(
    plan: ConfigPlan,
    text: str,
    queue: str,
    codes: Sequence[str],
    *,
    seen: Seen,
    known: Mapping[str, QueueConfig],
    path: Path,
) -> str:
    """`text` with a queue's new labels, or with the queue itself."""
    is_multi_select = any("|" in label for label in seen.labels.get(queue, {}))
    if queue not in known:
        return _with_queue(plan, text, queue, codes, is_multi_select=is_multi_select, path=path)
    if is_multi_select and not known[queue].is_multi_select:
        plan.notes.append(f"Queue {queue} has rows with several labels: set is_multi_select = true in {path}.")
    if not codes:
        return text
    plan.notes.append(
        f"Extended {path}: labels {', '.join(codes)} of queue {queue}, at the end of its list. Check is_violating, and "
        "the order if the scale is ordinal."
    )
    more = toml_text.with_elements(text, ("queues", queue, "labels"), [_label_entry(code) for code in codes])
    return checked_text(path, more, Taxonomy, adding=f"the labels {', '.join(codes)} of queue {queue}")


def _with_queue(
    plan: ConfigPlan, text: str, queue: str, codes: Sequence[str], *, is_multi_select: bool, path: Path
) -> str:
    """`text` with a new queue; one that showed fewer than two labels gets a made-up second one, and that is told."""
    made = [] if len(codes) > 1 else ["no_violation", "violation"]
    if len(codes) == 1:
        made = ["no_violation" if is_violating_guess(codes[0]) else "violation"]
    if made:
        plan.notes.append(
            f"Queue {queue} showed {counted(len(codes), 'label')}, but a queue needs two: {' and '.join(made)} was "
            f"made up. Correct it in {path}."
        )
    entry: dict[str, str | bool] = {"name": queue, "scale": "nominal", "is_multi_select": is_multi_select}
    blocks = [toml_text.table(("queues", queue), entry, is_array=False)]
    blocks += [
        toml_text.table(("queues", queue, "labels"), _label_entry(code), is_array=True) for code in (*codes, *made)
    ]
    return checked_text(path, toml_text.appended(text, blocks), Taxonomy, adding=f"the queue {queue}")


def _label_entry(code: str) -> dict[str, str | bool]:
    return {"code": code, "is_violating": is_violating_guess(code)}


def _declared(queue: QueueConfig) -> set[str]:
    return {label.code for label in queue.labels}


def _codes(plan: ConfigPlan, queue: str, labels: Mapping[str, int], *, is_written: bool) -> list[str]:
    """Single codes of a queue's labels, those that do not violate first; ConfigError when too many would be written."""
    codes = {code for label in labels for code in label.split("|")}
    if is_written and len(codes) > MOST_LABELS:
        message = (
            f"queue {queue} has {len(codes):,} different labels, such as {min(codes)!r}: that is no taxonomy. "
            "Correct the label column of the mapping (map gives labels a code); nothing was imported."
        )
        raise ConfigError(message)
    usable = usable_codes(plan, f"label of queue {queue}:", codes)
    return sorted(usable, key=lambda code: (is_violating_guess(code), code))
