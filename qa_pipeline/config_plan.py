"""What a draft or extension of the configuration is made of: codes seen, texts planned, and the checks on both.

Shared by `drafting` (markets, targets) and `taxonomy_draft`; nothing is decided here.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from qa_pipeline.config import UNKNOWN_KEY, check_code
from qa_pipeline.errors import ConfigError
from qa_pipeline.messages import counted, model_reason

ModelT = TypeVar("ModelT", bound=BaseModel)
MOST_NOTES = 5


@dataclass(frozen=True)
class Seen:
    """Codes that an import saw, with the number of rows of each; labels (as written, `a|b`) by queue.

    `has_labels` is False for feeds that carry no labels; nothing can be drafted from those.
    """

    markets: Mapping[str, int]
    queues: Mapping[str, int]
    labels: Mapping[str, Mapping[str, int]]
    has_labels: bool


@dataclass
class ConfigPlan:
    """What to write into a home's config folder (file name -> whole text), the markets' zones, and what to say."""

    files: dict[str, str] = field(default_factory=dict)
    time_zones: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def usable_codes(plan: ConfigPlan, kind: str, codes: Iterable[str]) -> list[str]:
    """Codes that a config file can hold, sorted; the others are told (the first few of them) and left out."""
    usable, refused = [], []
    for code in sorted(codes):
        try:
            check_code(code)
        except ValueError as err:
            refused.append(f"{kind} {err}. Its rows will be quarantined: give it a code with map in the mapping.")
        else:
            usable.append(code)
    plan.notes += first_notes(refused)
    return usable


def first_notes(notes: Sequence[str]) -> list[str]:
    """The first MOST_NOTES of remarks of one kind, and how many more there are."""
    more = len(notes) - MOST_NOTES
    return [*notes[:MOST_NOTES], *([f"… and {more:,} more like this."] if more > 0 else [])]


def unknown_code(kind: str, code: str, *, rows: int, path: Path) -> str:
    """What to say about a code that an existing file does not have."""
    return (
        f"Unknown {kind} {code} ({counted(rows, 'row')}): it is not in {path}, so these rows will be quarantined. "
        "Add it there or import again with --extend-config."
    )


def read_config(path: Path) -> str | None:
    """Text of a config file, None when it is not there; ConfigError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as err:
        message = f"{path} cannot be read ({err})."
        raise ConfigError(message) from err


def parse_config(path: Path, text: str, model: type[ModelT]) -> ModelT:
    """The file's content, checked; ConfigError when it is not valid."""
    try:
        return model.model_validate(tomllib.loads(text))
    except ValueError as err:  # TOMLDecodeError and ValidationError are ValueErrors
        message = f"{path} is not valid: {_reason(err)}."
    # Not `from err`: see importing.mapping.load_mapping.
    raise ConfigError(message)


def checked_text(path: Path, text: str | None, model: type[BaseModel], *, adding: str) -> str:
    """`text`, if it is a valid config file; ConfigError says what to add by hand otherwise."""
    reason = "its form leaves no place to add to"
    if text is not None:
        try:
            model.model_validate(tomllib.loads(text))
        except ValueError as err:
            reason = _reason(err)
        else:
            return text
    message = f"{path} cannot be extended by {adding} ({reason}): add it by hand; nothing was imported."
    raise ConfigError(message)


def _reason(err: Exception) -> str:
    return model_reason(err, unknown_key=UNKNOWN_KEY) if isinstance(err, ValidationError) else str(err).splitlines()[0]
