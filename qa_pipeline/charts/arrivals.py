"""Which feeds have arrived, and what a page says in place of figures whose feed has not."""

from dataclasses import dataclass

from qa_pipeline.charts.operations import Operations

# A figure needs one feed of every group.
Needs = tuple[tuple[str, ...], ...]
AUDITS: Needs = (("reviews",),)
GOLD: Needs = (("gold",),)
REFERENCES: Needs = (("gold", "reviews"),)
MODELS: Needs = (("predictions",),)
MODEL_REFERENCES: Needs = (*MODELS, *REFERENCES)
_LINES: dict[str, tuple[str, Needs]] = {
    "audits": ("Defect rate and audited share", AUDITS),
    "references": ("Accuracy of people and vendors", REFERENCES),
    "gold": ("Known answers: labels that people miss, leaks and wrong keys", GOLD),
    "models": ("Volume, drift and accuracy of models", MODELS),
}


@dataclass(frozen=True)
class Arrivals:
    """Feeds of which a file has landed, and those of which a row is valid. `None`: there is no ledger to tell."""

    landed: frozenset[str]
    valid: frozenset[str] | None

    @classmethod
    def of(cls, operations: Operations) -> "Arrivals":
        """What the ledger knows."""
        if not operations.ledger:
            return cls(frozenset(), None)
        return cls(
            landed=frozenset(line.feed for line in operations.ledger if line.files),
            valid=frozenset(line.feed for line in operations.ledger if line.validated),
        )

    def why_not(self, needs: Needs) -> str:
        """Which feed keeps a figure away and what brings it, in one sentence; empty when none does."""
        for group in needs:
            if self.valid is None or self.valid & set(group):
                continue
            is_one = len(group) == 1
            if self.landed & set(group):
                feeds = " and ".join(group)
                return (
                    f"every row of {feeds} is in quarantine or on hold; the page gets this when a good delivery lands"
                )
            absent = f"the feed {group[0]} has not landed" if is_one else f"neither {' nor '.join(group)} has landed"
            return f"{absent}; the page gets this when {'it' if is_one else 'one of them'} does"
        return ""

    def missing(self, *kinds: str) -> list[tuple[str, str]]:
        """What a page lacks, and why: one line for each of the kinds (keys of `_LINES`) that has not arrived."""
        lines = [(name, self.why_not(needs)) for name, needs in (_LINES[kind] for kind in kinds)]
        return [(name, reason) for name, reason in lines if reason]
