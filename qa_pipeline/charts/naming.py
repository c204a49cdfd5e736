"""Names and file names: what a code is called on a page, and which file and anchor it gets."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from qa_pipeline.config import Config, QueueConfig
from qa_pipeline.contracts import RESERVED_CODES

ALL, CROSS = "ALL", "CROSS"
# Between the labels of an item with several.
LABEL_SETS = "|"


@dataclass(frozen=True)
class Names:
    """Display names of markets and queues; a code without a name is its own name."""

    markets: dict[str, str]
    queues: dict[str, str]

    @classmethod
    def of(cls, config: Config, *, codes: Iterable[tuple[str, str]]) -> "Names":
        """Names of everything in the config, in its order, then of what only the marts (`codes`) know."""
        markets = {code: entry.name or code for code, entry in config.markets.markets.items()}
        queues = {code: entry.name or code for code, entry in config.taxonomy.queues.items()}
        for market, queue in sorted(codes):
            markets.setdefault(market, market)
            queues.setdefault(queue, queue)
        for known in (markets, queues):
            for code in RESERVED_CODES:
                known.pop(code, None)
        return cls(markets=markets, queues=queues)

    def market(self, code: str) -> str:
        """Name of a market, or of the roll-ups `ALL` and `CROSS`."""
        return {ALL: "All markets", CROSS: "Same items, across markets"}.get(code) or self.markets.get(code, code)

    def queue(self, code: str) -> str:
        """Name of a queue, or of the roll-up `ALL`."""
        return "All queues" if code == ALL else self.queues.get(code, code)


def label_names(queue: QueueConfig | None) -> dict[str, str]:
    """The name of each label of a queue by its code."""
    return {} if queue is None else {label.code: label.name or label.code for label in queue.labels}


def label_name(code: str, *, queue: QueueConfig | None) -> str:
    """The label's name from the taxonomy, those of a set of labels joined by +; the code where one has no name."""
    names = label_names(queue)
    parts = code.split(LABEL_SETS)
    return " + ".join(names[part] for part in parts) if all(part in names for part in parts) else code


def slug(code: str) -> str:
    """`code` for use in a file name or an anchor: itself when it is plain ASCII, else a plain part and a hash of it."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", code):
        return code
    plain = re.sub(r"[^A-Za-z0-9]+", "-", code).strip("-")[:40] or "x"
    return f"{plain}-{hashlib.sha256(code.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def market_files(codes: Iterable[str]) -> dict[str, str]:
    """File name of each market's page: `market-<code>.html`.

    Codes that differ only in case would be one file on some disks: from the second on they get a hash.
    """
    files: dict[str, str] = {}
    taken: set[str] = set()
    for code in sorted(codes):
        stem = slug(code)
        if stem.casefold() in taken:
            stem = f"{stem}-{hashlib.sha256(code.encode()).hexdigest()[:8]}"
        taken.add(stem.casefold())
        files[code] = f"market-{stem}.html"
    return files
