"""The configuration that goes with the simulated operation: taxonomy, markets, targets and quality as TOML.

Only the texts are made here; `simulate` writes them, and never over a file that says something else.
"""

from qa_pipeline.simulation.operation import MARKETS, QUEUES, VENDORS

QUALITY = """\
# How quality is counted, controlled, accepted and planned for in the simulated operation.

[severity_weights] # what a defect counts in the severity-weighted defects per 1,000 decisions
critical = 10.0
major = 5.0
minor = 1.0

[baseline]
days = 14 # control charts compare with the first two weeks; what happens later has to stand out against them

[alarms]
false_discovery_rate = 0.05

[acceptance]
# Annotators err in 5 to 25 of 100 decisions, depending on the queue, and a lot of 100 has 10 to 15 random reviews:
# level I asks for 8, level II would ask for 20.
aql_percent = 10.0
level = "I"
queue_aql_percent = { spam = 6.5 }

[planning]
annotator_floor = 1
half_width = 0.03
visible_change = 1.5
power = 0.8
"""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _flag(value: bool) -> str:
    return "true" if value else "false"


def taxonomy_text() -> str:
    """Return taxonomy.toml: each queue with its labels, in the order of an ordinal scale."""
    lines = ["# The taxonomy of the simulated operation.", 'version = "simulated-1"']
    for queue in QUEUES:
        lines += ["", f"[queues.{queue.code}]", f"name = {_quoted(queue.name)}", f'scale = "{queue.scale}"']
        lines.append(f"is_multi_select = {_flag(bool(queue.combinations))}")
        lines.append("labels = [")
        lines += [
            f"    {{ code = {_quoted(label.code)}, name = {_quoted(label.name)}, "
            f"is_violating = {_flag(label.is_violating)}, severity_weight = {label.severity_weight} }},"
            for label in queue.labels
        ]
        lines.append("]")
    return "\n".join(lines) + "\n"


def markets_text() -> str:
    """Return markets.toml: each market with its time zone."""
    lines = ["# The markets of the simulated operation; the time zone decides the business date."]
    for market in MARKETS:
        lines += ["", f"[markets.{market.code}]", f"name = {_quoted(market.name)}", f'time_zone = "{market.time_zone}"']
    return "\n".join(lines) + "\n"


def targets_text() -> str:
    """Return targets.toml: one target per metric for everybody, and some of their own for queues and vendors."""
    targets: list[tuple[str, float, dict[str, str]]] = [
        ("accuracy", 0.90, {}),
        ("accuracy", 0.80, {"queue": "hate_speech"}),
        ("accuracy", 0.78, {"queue": "violence"}),
        ("accuracy", 0.93, {"queue": "spam"}),
        ("agreement", 0.667, {}),
        ("agreement", 0.80, {"queue": "spam"}),
        ("defect_rate", 0.15, {}),
        ("defect_rate", 0.20, {"queue": "hate_speech"}),
        ("defect_rate", 0.22, {"queue": "violence"}),
        ("defect_rate", 0.09, {"queue": "spam"}),
        ("sla_minutes", 1440.0, {}),
        ("sla_minutes", 720.0, {"queue": "violence"}),
        ("utilization", 0.75, {}),
        ("utilization", 0.80, {"vendor": VENDORS[0].code}),
    ]
    lines = ["# Targets of the simulated operation; a target that names a market, queue or vendor goes before `*`."]
    for metric, value, where in targets:
        lines += ["", "[[targets]]", f'metric = "{metric}"', f"value = {value}"]
        lines += [f"{name} = {_quoted(code)}" for name, code in where.items()]
    return "\n".join(lines) + "\n"


def quality_text() -> str:
    """Return quality.toml: severities, the baseline of control charts, lot acceptance and the planning of reviews."""
    return QUALITY


def config_texts() -> dict[str, str]:
    """Return file name to content of the simulated operation's configuration."""
    return {
        "taxonomy.toml": taxonomy_text(),
        "markets.toml": markets_text(),
        "targets.toml": targets_text(),
        "quality.toml": quality_text(),
    }
