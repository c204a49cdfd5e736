"""Landed and rejected files of an import: their names, their writing, their replacement, and the log of imports.

Nothing is decided about rows here. Every file is written to a scratch folder of the home first and read back; only
when all of them hold what they should are they renamed into place.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from qa_pipeline.contracts import FEEDS
from qa_pipeline.errors import HomeError, MappingError
from qa_pipeline.importing.mapping import Mapping
from qa_pipeline.importing.sources import SourceFile
from qa_pipeline.importing.summary import ImportSummary, SourceCounts
from qa_pipeline.landing import quote_text, sha256
from qa_pipeline.settings import Home

LOG_NAME = "imports.jsonl"
_LANDED = re.compile(r"^(?:import|synthetic)-(\d{6})-(.+)\.parquet$")
_STEM_LENGTH = 60


@dataclass(frozen=True)
class Delivery:
    """The name (without ending) of what is written for one source file.

    `<import|synthetic>-<number>-<identity>`: the number grows with every new source of the feed, so that of two files
    with the same key in one partition the one imported later counts (the later file name wins); the identity is
    mapping, source and the first eight digits of the content's SHA-256, so that the same source again is the same file.
    """

    prefix: str
    number: int
    identity: str

    @property
    def name(self) -> str:
        """File name without ending."""
        return f"{self.prefix}-{self.number:06d}-{self.identity}"


@dataclass(frozen=True)
class Written:
    """Files ready in the scratch folder, each with its place in the home, and the counts read back from them."""

    moves: tuple[tuple[Path, Path], ...]
    counts: tuple[SourceCounts, ...]
    rows_per_date: dict[date, int]


def name_deliveries(
    home: Home, *, mapping: Mapping, mapping_stem: str, sources: Sequence[SourceFile]
) -> list[Delivery]:
    """Names for the sources of an import; a source that was imported before keeps its number.

    Raises MappingError when two sources are the same file.
    """
    known: dict[str, int] = {}
    for path in (home.landing / mapping.target).glob("*/*.parquet"):
        if match := _LANDED.match(path.name):
            known[match[2]] = int(match[1])
    prefix = "import" if mapping.synthetic is None else "synthetic"
    deliveries: list[Delivery] = []
    for source in sources:
        stem = re.sub(r"(\.gz)?$", "", source.name).rsplit(".", 1)[0]
        identity = f"{_slug(mapping_stem)}-{_slug(stem)}-{source.sha256[:8]}"
        if any(delivery.identity == identity for delivery in deliveries):
            message = f"{source.path} is given twice (same name and content): name each file once."
            raise MappingError(message)
        if identity not in known:
            known[identity] = max(known.values(), default=0) + 1
        deliveries.append(Delivery(prefix=prefix, number=known[identity], identity=identity))
    return deliveries


def write_scratch(
    con: duckdb.DuckDBPyConnection,
    home: Home,
    *,
    mapping: Mapping,
    deliveries: Sequence[Delivery],
    counts: Sequence[SourceCounts],
    scratch: Path,
) -> Written:
    """Write every landed and rejected file of the tables `landed` and `staged` into the scratch folder.

    The written and rejected rows are counted in the files themselves; MappingError when they do not add up.
    """
    moves: list[tuple[Path, Path]] = []
    rows_per_date: dict[date, int] = {}
    checked = []
    for number, (delivery, count) in enumerate(zip(deliveries, counts, strict=True)):
        written = 0
        days = con.execute(
            "select distinct business_date from landed where _file = ? order by business_date", [number]
        ).fetchall()
        for (day,) in days:
            path = scratch / f"landed-{len(moves)}.parquet"
            rows = _write_parquet(con, mapping=mapping, number=number, day=day, path=path)
            written += rows
            rows_per_date[day] = rows_per_date.get(day, 0) + rows
            folder = home.landing / mapping.target / f"date={day.isoformat()}"
            moves.append((path, folder / f"{delivery.name}.parquet"))
        rejected = 0
        if count.rows_rejected:
            path = scratch / f"rejected-{number}.jsonl"
            rejected = _write_rejected(con, number=number, source_name=count.name, path=path)
            moves.append((path, rejected_folder(home, mapping.target) / f"{delivery.name}.jsonl"))
        landed_name = f"{delivery.name}.parquet" if written else ""
        checked.append(replace(count, rows_written=written, rows_rejected=rejected, landed_name=landed_name))
        checked[-1].check()
    return Written(moves=tuple(moves), counts=tuple(checked), rows_per_date=dict(sorted(rows_per_date.items())))


def rejected_folder(home: Home, feed: str) -> Path:
    """Folder of the rejected rows of a feed."""
    return home.root / "rejected" / feed


def put_in_place(
    home: Home, *, feed: str, deliveries: Sequence[Delivery], moves: Sequence[tuple[Path, Path]]
) -> tuple[Path, ...]:
    """Rename the files into place and remove those of an earlier import of the same sources that are no longer true.

    Returns the removed files. A file that stands there with the same content is left alone, its time stamp too, so
    that nothing is loaded again for nothing. Raises HomeError when a folder cannot be written.
    """
    wanted = {target for _, target in moves}
    identities = {delivery.identity for delivery in deliveries}
    stale = []
    for path in (home.landing / feed).glob("*/*.parquet"):
        match = _LANDED.match(path.name)
        if match and match[2] in identities and path not in wanted:
            stale.append(path)
    for path in rejected_folder(home, feed).glob("*.jsonl"):
        match = _LANDED.match(path.stem + ".parquet")
        if match and match[2] in identities and path not in wanted:
            path.unlink()
    try:
        for source, target in moves:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not (target.is_file() and sha256(target) == sha256(source)):
                source.replace(target)
        for path in stale:
            path.unlink()
    except OSError as err:
        message = f"{err.filename} cannot be written ({err.strerror}): mend its rights and import again."
        raise HomeError(message) from err
    return tuple(sorted(stale))


def log_import(home: Home, *, mapping: Mapping, path: Path, summary: ImportSummary) -> None:
    """Note the import in `<home>/config/imports.jsonl`: one line each, without a clock; a repeated one is not repeated.

    A landed file that starts with `synthetic-` has its dates from this mapping's [synthetic], which the line holds.
    Raises HomeError when the file cannot be written.
    """
    synthetic = mapping.synthetic
    line = json.dumps(
        {
            "feed": summary.feed,
            "mapping": summary.mapping,
            "mapping_file": path.name,
            "mapping_sha256": sha256(path),
            "synthetic": None if synthetic is None else {"start": str(synthetic.start), "days": synthetic.days},
            "sources": [
                {
                    "name": source.name,
                    "sha256": source.sha256,
                    "rows_read": source.rows_read,
                    "rows_exploded": source.rows_exploded,
                    "rows_dropped": source.rows_dropped,
                    "rows_rejected": source.rows_rejected,
                    "rows_written": source.rows_written,
                    "landed_name": source.landed_name,
                }
                for source in summary.sources
            ],
        },
        ensure_ascii=False,
    )
    log = home.config / LOG_NAME
    try:
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        if line not in lines:
            with log.open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")
    except OSError as err:
        message = f"{log} cannot be written ({err.strerror}): the rows are landed; mend it and import again to note it."
        raise HomeError(message) from err


def _write_parquet(con: duckdb.DuckDBPyConnection, *, mapping: Mapping, number: int, day: date, path: Path) -> int:
    columns = ", ".join(FEEDS[mapping.target].names)
    con.execute(
        f"copy (select {columns} from landed where _file = {number} and business_date = date '{day.isoformat()}' "  # noqa: S608 - names of the contract, an integer and a date
        f"order by _position) to {quote_text(str(path))} (format parquet)"
    )
    counted = con.execute("select sum(num_rows) from parquet_file_metadata(?)", [str(path)]).fetchall()
    return int(counted[0][0] or 0)


def _write_rejected(con: duckdb.DuckDBPyConnection, *, number: int, source_name: str, path: Path) -> int:
    con.execute(
        f"""
        copy (
            select {quote_text(source_name)} as file, _row as "row", _place as place, _reasons as reasons,
                _record as record
            from staged where _file = {number} and _reasons is not null order by rowid
        ) to {quote_text(str(path))} (format json)
        """  # noqa: S608 - quoted text and an integer
    )
    with path.open("rb") as stream:
        return sum(1 for _ in stream)


def _slug(stem: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "_", stem)[:_STEM_LENGTH].strip("._") or "source"
