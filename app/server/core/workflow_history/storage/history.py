"""An open history: the only interface through which the program reads and writes the database."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sqlalchemy import URL, Connection, Text, cast, func, select, table, text

from ..analysis.similarity.version import MODEL_VERSION
from ..common.errors import InvalidQueryError, WorkflowHistoryError
from ..common.filters import RunFilter
from ..common.models import PatternStatus, Problem, Workflow
from ..common.plausible_dates import MAX_CLOCK_SKEW
from ..costs.accounting.message_claims import Claim
from ..exporting.fields import ColumnBatch
from . import integrity
from .column_cache.blocks import AGGREGATES, all_blocks, block_ranges, missing_blocks
from .connection.advisory_lock import OnWait, acquire_lock
from .connection.engine import (
    connect,
    get_dialect,
    is_read_only,
    make_file,
    read_transaction,
    translate_errors,
    write_transaction,
)
from .connection.url import database_url
from .merge_store import MergeStore
from .reading import export_source, page_query, run_lookup
from .reading import patterns as pattern_queries
from .reading import runs as run_queries
from .reading.filter_sql import NAME_COLUMNS, build_where, distinct_names
from .reading.page_query import PageCursor
from .reading.paging import page_keys
from .reading.patterns import PatternExample
from .reading.run_lookup import RunRef
from .reading.runs import (
    AgentsDirectory,
    FolderCostTotals,
    RunLocation,
    StatusCounts,
    StoredRunState,
    read_summaries,
)
from .rows.column_types import to_timestamp
from .rows.row_codec import WORKFLOW, Row
from .rows.run_rows import RunRows, to_pattern_rows, to_rows
from .similarity_store import SimilarityStore
from .tables.migrate import check_schema, ensure_schema, stored_revision
from .tables.schema import workflows
from .tables.views import VIEW_COLUMNS
from .writing import message_claims, pruning, redact_stored, side_tables, upsert_runs
from .writing.pruning import Identity

if TYPE_CHECKING:  # these import numpy and the pattern detection
    from ..analysis.patterns.records import PatternTotals
    from ..analysis.statistics.aggregates import Aggregate
    from ..common.column_data import ColumnTable, Integers, TableName
    from .column_cache.columns import ColumnReader

__all__ = ["History", "RunRef", "SaveResult"]


@dataclass(frozen=True, slots=True)
class SaveResult:
    """Result of saving a batch of workflows."""

    inserted: int  # number of workflows that were not stored before
    updated: int  # number of workflows that were stored before
    failures: tuple[tuple[str, str], ...] = ()  # id and reason of each workflow that could not be stored
    keys: Mapping[Identity, int] = field(default_factory=dict)  # keys of all workflows that were stored
    new: AbstractSet[int] = frozenset()  # keys of the workflows that were not stored before


class StoredPage(NamedTuple):
    """One page of workflows."""

    workflows: list[Workflow]
    total: int  # number of workflows on all pages
    next_cursor: PageCursor | None  # cursor for the next page; None: there is none


class History:
    """One connection to a database with up-to-date tables; each method is one transaction."""

    def __init__(self, url: URL, connection: Connection, *, read_only: bool = False) -> None:
        self._url = url
        self._read_only = read_only
        self._connection = connection
        self._in_transaction = False  # whether a transaction of the caller is open
        self._pattern_keys = side_tables.PatternKeyCache()
        self._checked_version = self.data_version()
        self._needs_flush = False  # whether something was written since the last flush

    @classmethod
    @contextmanager
    def open(cls, location: Path | str | URL, *, create: bool = True) -> Iterator[Self]:
        """Open the history at a path or database URL; with `create`, a missing file is created.

        A history that cannot be written is opened read-only; writes then raise WorkflowHistoryError.
        """
        url = database_url(location)
        if create:
            make_file(url)
        if is_read_only(url):
            with connect(url, read_only=True) as connection:
                check_schema(connection)
                yield cls(url, connection, read_only=True)
            return
        with connect(url) as connection:
            ensure_schema(connection)
            history = cls(url, connection)
            yield history
            history.flush()

    def check_text_policy(self, *, no_text: bool = False) -> bool:
        """Return whether the texts of runs (requests, responses, commands) are stored; `no_text` forbids it.

        Raises WorkflowHistoryError if it is forbidden, but the history contains such texts.
        """
        with self._reading() as connection:
            return redact_stored.text_storage_enabled(connection, no_text=no_text)

    def stores_text(self) -> bool | None:
        """Return whether the newest run was stored with its texts, or None if there is no run."""
        with self._reading() as connection:
            return redact_stored.stores_text(connection)

    def scrub(self, *, no_text: bool = False) -> redact_stored.RedactionResult:
        """Redact secrets, or all texts, in the whole history, and erase them from its files."""
        with self._writing() as connection:
            result = redact_stored.redact_all(connection, no_text=no_text)
        self._pattern_keys.forget(-1)
        self.finish_erasing()
        return result

    def finish_erasing(self) -> None:
        """Erase the text that `scrub` redacted from the database's files, if that is still pending.

        Raises WorkflowHistoryError if another program prevents the files from being rewritten.
        """
        with self._reading() as connection:
            if not redact_stored.erasure_pending(connection):
                return
        with translate_errors(self._url):
            get_dialect(self._url).secure_delete(self._connection)
        with self._writing() as connection:
            redact_stored.record_erasure(connection)

    def data_version(self) -> int:
        """Return a number that changes when another connection commits changes."""
        with translate_errors(self._url):
            return get_dialect(self._url).data_version(self._connection)

    def refresh_schema(self) -> None:
        """Check or upgrade the tables again if another program has changed the database."""
        version = self.data_version()
        if version != self._checked_version:
            with translate_errors(self._url):
                (check_schema if self._read_only else ensure_schema)(self._connection)
            self._checked_version = version

    def flush(self) -> None:
        """Run the database's maintenance after the last write, if something was written."""
        if self._needs_flush:
            get_dialect(self._url).after_last_write(self._connection)
            self._needs_flush = False

    @contextmanager
    def lock(
        self, name: str, work: str, wait: float | None = None, on_wait: OnWait | None = None
    ) -> Iterator[None]:
        """Lock a name against other processes while the block runs; see `advisory_lock.acquire_lock`.

        A read-only history takes no lock, since it cannot be changed.
        """
        if self._read_only:
            yield
            return
        with translate_errors(self._url), acquire_lock(self._connection, name, work, wait, on_wait):
            yield

    # --- workflows, one at a time

    def insert(self, workflow: Mapping[str, Any]) -> bool:
        """Store a new workflow; return False, and write nothing, if it is stored already."""
        rows = _storable_rows(workflow, keeps_text=self.check_text_policy())
        with self._writing() as connection:
            identity = (rows.project, rows.id)
            if upsert_runs.find_existing(connection, [identity]):
                return False
            upsert_runs.upsert_runs(connection, {identity: rows}, _now())
            return True

    def update(self, reference: str, workflow: Mapping[str, Any]) -> bool:
        """Merge `workflow` into the stored one with this reference; return False if there is none.

        The dict's own project, if any, selects one of several; None never overwrites a value.
        """
        keeps_text = self.check_text_policy()
        with self._writing() as connection:
            project = None if "/" in reference else workflow.get("project")
            ref = run_lookup.find_by_reference(connection, reference, project)
            if ref is None:
                return False
            rows = _storable_rows(workflow, ref.project, ref.id, keeps_text=keeps_text)
            upsert_runs.upsert_runs(connection, {(ref.project, ref.id): rows}, _now())
            return True

    def get(self, reference: str) -> Workflow | None:
        """Return the workflow with this id or "project/id", or None if there is none.

        Raises AmbiguousWorkflowError if several projects have it.
        """
        with self._reading() as connection:
            ref = run_lookup.find_by_reference(connection, reference)
            return None if ref is None else run_queries.read_runs(connection, [ref.key])[ref.key]

    def find(self, reference: str) -> RunRef:
        """Return the only workflow with this id, "project/id" or beginning of one of its parts.

        Raises WorkflowNotFoundError or AmbiguousWorkflowError.
        """
        with self._reading() as connection:
            ref = run_lookup.find_by_reference(connection, reference)
            if ref is not None:
                return ref
            return run_lookup.find_by_prefix(connection, reference)

    def newest(self, prefix: str, limit: int) -> list[RunRef]:
        """Return the newest workflows whose id, or "project/id", begins with `prefix`."""
        with self._reading() as connection:
            return run_lookup.newest_by_prefix(connection, prefix, limit)

    def distinct_values(self, column: str, prefix: str, limit: int) -> list[str]:
        """Return the distinct values of a column of runs or agent runs that begin with `prefix`."""
        with self._reading() as connection:
            return run_lookup.distinct_values(connection, column, prefix, limit)

    # --- workflows, many at a time

    def save(self, batch: Sequence[Mapping[str, Any]], *, replace: Sequence[str] = ()) -> SaveResult:
        """Insert or merge workflows in one transaction; one that cannot be stored doesn't stop the others.

        None overwrites a stored value only for the keys in `replace`.
        """
        batch_rows: list[RunRows] = []
        failures: list[tuple[str, str]] = []
        keeps_text = self.check_text_policy()
        for workflow in batch:
            try:
                batch_rows.append(to_rows(workflow, keeps_text=keeps_text))
            except ValueError as error:
                failures.append((str(workflow.get("id")), str(error)))
        return dataclasses.replace(self.save_rows(batch_rows, replace=replace), failures=tuple(failures))

    def save_rows(self, batch_rows: Sequence[RunRows], *, replace: Sequence[str] = ()) -> SaveResult:
        """Insert or merge workflows, as `save` does, from rows that may come from another process."""
        with self._writing() as connection:
            saved = upsert_runs.upsert_runs(
                connection, upsert_runs.merge_duplicates(batch_rows), _now(), replace
            )
        new = frozenset(key for name, key in saved.keys.items() if name not in saved.existing)
        return SaveResult(len(new), len(batch_rows) - len(new), keys=saved.keys, new=new)

    def page(self, query: page_query.PageQuery) -> StoredPage:
        """Return one page of workflows, and the number of workflows on all pages."""
        with self._reading() as connection:
            page = page_keys(connection, query)
            runs = list(run_queries.read_runs(connection, page.keys).values())
            return StoredPage(runs, page.total, page.next_cursor)

    def summary_page(self, query: page_query.PageQuery) -> StoredPage:
        """Return one page of runs with only the fields that lists show."""
        with self._reading() as connection:
            page = page_keys(connection, query)
            return StoredPage(read_summaries(connection, page.keys), page.total, page.next_cursor)

    def list_refs(
        self,
        *,
        status: str | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        after_key: int = 0,
        limit: int | None = None,
    ) -> list[RunRef]:
        """Return references by key; a caller can continue after the last key while rows change."""
        start = None if created_from is None else to_timestamp(created_from)
        end = None if created_before is None else to_timestamp(created_before)
        with self._reading() as connection:
            return run_lookup.query_refs(
                connection, page_query.by_status_and_date(status, start, end, after_key, limit)
            )

    def read(self, keys: Sequence[int]) -> dict[int, Workflow]:
        """Return whole workflow dicts by key."""
        with self._reading() as connection:
            return run_queries.read_runs(connection, keys)

    def read_fields(self, keys: Sequence[str] | None = None) -> list[Workflow]:
        """Return some or all keys of every workflow, without agent runs; much faster than whole dicts."""
        keys = [key for key in WORKFLOW.fields if key not in WORKFLOW.hidden] if keys is None else keys
        unknown = [key for key in keys if key not in WORKFLOW.fields]
        if unknown:
            raise InvalidQueryError(
                f"no column for {', '.join(unknown)}; known: {', '.join(WORKFLOW.fields)}"
            )
        with self._reading() as connection:
            return run_queries.read_fields(connection, keys)

    def matching_keys(self, run_filter: RunFilter) -> Integers:
        """Return the keys of the runs that match a filter, ascending."""
        import numpy as np  # noqa: PLC0415 - it takes longer to import than most commands take

        with self._reading() as connection:
            where = build_where(run_filter, get_dialect(connection))
            # As one text, since 100,000 rows would take four times as long.
            keys = func.aggregate_strings(cast(workflows.c.key, Text), ",")
            text = connection.scalar(select(keys).where(*where.clauses()))
        return np.sort(np.fromstring(text or "", np.int64, sep=","))

    def filter_values(self, name: str) -> list[str]:
        """Return the values for which the filter `name`, a key of NAME_COLUMNS, finds runs, sorted."""
        found: set[str] = set()
        with self._reading() as connection:
            for column in NAME_COLUMNS[name]:
                distinct = distinct_names(column)
                found.update(connection.scalars(select(distinct.c.name).where(distinct.c.name != "")))
        return sorted(map(str, found))

    # --- many runs as columns

    def columns(self, family: TableName, names: Sequence[str], keys: range | None = None) -> ColumnTable:
        """Return some columns of every run, agent run or share of a model; see `column_data.COLUMNS`.

        `keys` limits them to the runs in one of `key_ranges`.
        """
        with self._reading() as connection:
            return _column_reader(connection, keys)(family, names)

    def column_reader(self, keys: range) -> ColumnReader:
        """Return a function that reads columns as `columns` does, but each row once, within a `snapshot`."""
        return _column_reader(self._connection, keys)

    def key_ranges(self) -> list[range]:
        """Return ranges with the keys of all runs, a few thousand each, which is fast to aggregate."""
        with self._reading() as connection:
            return list(block_ranges(all_blocks(connection)))

    def aggregates(self, names: Collection[str]) -> dict[str, list[Aggregate]]:
        """Return aggregates over all runs by name, each in parts to be merged; see `analysis.statistics`.

        To ask for several at once is faster: the rows of runs without packed aggregates are read once.
        """
        from .column_cache.aggregates import read_aggregates  # noqa: PLC0415 - see `_column_reader`

        with self._reading() as connection:
            return read_aggregates(connection, names)

    def build_column_cache(self) -> None:
        """Pack columns, aggregates and vectors of runs written since the last call, for faster reads."""
        from .column_cache.aggregates import pack_aggregates  # noqa: PLC0415 - see `_column_reader`
        from .column_cache.columns import build_cache  # noqa: PLC0415 - see `_column_reader`
        from .column_cache.vectors import pack_vectors  # noqa: PLC0415 - see `_column_reader`

        with self._writing() as connection:
            build_cache(connection)
            pack_aggregates(connection)
            pack_vectors(connection, MODEL_VERSION)

    def column_cache_is_stale(self) -> bool:
        """Return whether runs were written since their columns were packed."""
        with self._reading() as connection:
            return any(
                missing_blocks(connection, *sample) for sample in (("runs", "key"), (AGGREGATES, "all"))
            )

    # --- whole tables

    def batches(
        self, source: export_source.ExportSource, names: Sequence[str], run_filter: RunFilter
    ) -> Iterator[ColumnBatch]:
        """Yield some columns of a table in batches, all from one snapshot."""
        columns = [source.columns[name] for name in names]
        with self._reading() as connection:
            clauses = build_where(run_filter, get_dialect(connection)).clauses()
            yield from source.batches(connection, clauses, columns)

    # --- patterns over many runs

    def pattern_totals(
        self,
        run_filter: RunFilter | None = None,
        *,
        kinds: Sequence[str] | None = None,
        statuses: Sequence[str] | None = None,
        min_runs: int = 2,
    ) -> list[PatternTotals]:
        """Return the patterns in at least `min_runs` of these runs, the most widespread first."""
        with self._reading() as connection:
            return pattern_queries.pattern_totals(
                connection, run_filter, kinds=kinds, statuses=statuses, min_runs=min_runs
            )

    def find_pattern(self, text: str) -> list[PatternTotals]:
        """Return the patterns with this signature, otherwise with this id or id prefix (4 digits or more)."""
        with self._reading() as connection:
            return pattern_queries.find_pattern(connection, text)

    def pattern_examples(
        self, pattern_id: str, limit: int = 3, run_filter: RunFilter | None = None
    ) -> list[PatternExample]:
        """Return the newest runs with a pattern; an empty list if no pattern has this id."""
        with self._reading() as connection:
            return pattern_queries.examples(connection, pattern_id, limit, run_filter)

    def decide_pattern(self, pattern_id: str, status: PatternStatus, note: str | None = None) -> None:
        """Store the decision that a pattern is accepted or dismissed, with a reason; `detected` removes it.

        Raises InvalidQueryError for another status, PatternNotFoundError if no pattern has this id.
        """
        with self._writing() as connection:
            pattern_queries.set_status(connection, pattern_id, status, note, _now())

    # --- operations of a sync

    def stored_runs(self, project: str) -> dict[str, StoredRunState]:
        """Return the stored runs of a project, by id."""
        with self._reading() as connection:
            return run_queries.stored_runs(connection, project)

    def cost_totals(
        self, project: str, agents_dir: str, keys: Sequence[int] | None = None
    ) -> FolderCostTotals:
        """Add up the costs of a project's present runs in an agents directory; `keys` limits the runs."""
        with self._reading() as connection:
            return run_queries.cost_totals(connection, project, agents_dir, keys)

    def count_by_status(
        self, project: str, agents_dir: str, now: datetime, keys: Sequence[int] | None = None
    ) -> list[StatusCounts]:
        """Count a project's present runs in an agents directory by status; `keys` limits the runs."""
        with self._reading() as connection:
            return run_queries.count_by_status(
                connection, project, agents_dir, to_timestamp(now + MAX_CLOCK_SKEW), keys
            )

    def costs_of(self, run_filter: RunFilter) -> FolderCostTotals:
        """Add up the costs of the runs that match a filter."""
        with self._reading() as connection:
            return run_queries.costs_of(
                connection, build_where(run_filter, get_dialect(connection)).clauses()
            )

    def agents_directories(self) -> list[AgentsDirectory]:
        """Return the agents directories in which runs were found."""
        with self._reading() as connection:
            return run_queries.agents_directories(connection)

    def run_ids_in(self, directory: AgentsDirectory) -> dict[str, str | None]:
        """Return the ids of the runs that were found in an agents directory."""
        with self._reading() as connection:
            return run_queries.run_ids_in(connection, directory)

    def stream_identities(self, directory: AgentsDirectory, ids: Sequence[str]) -> dict[str, set[str]]:
        """Return the identities of streams (hashes of their first lines) by run id."""
        with self._reading() as connection:
            return run_queries.stream_identities(connection, directory, ids)

    def move_directory(self, directory: AgentsDirectory, agents_dir: str) -> None:
        """Record that an agents directory was moved: update it in its runs and problems."""
        with self._writing() as connection:
            upsert_runs.move_directory(connection, directory, agents_dir)

    def move_run(self, key: int, project: str, run_id: str, agents_dir: str) -> None:
        """Record that one run was moved or renamed; no other run may have the new name."""
        with self._writing() as connection:
            upsert_runs.move_run(connection, key, project, run_id, agents_dir)

    def run_locations(self, keys: Sequence[int]) -> list[RunLocation]:
        """Return the locations in which runs were found, ordered by key."""
        with self._reading() as connection:
            return run_queries.run_locations(connection, keys)

    def locations_of_units(self, units: Iterable[int]) -> list[RunLocation]:
        """Return the locations of the runs that have any of these messages or results."""
        with self._reading() as connection:
            return run_queries.run_locations(
                connection, sorted(message_claims.runs_with_units(connection, units))
            )

    def agent_runs(self, keys: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """Return the `phase_costs` entries of workflows that have some, including superseded attempts."""
        with self._reading() as connection:
            return run_queries.agent_records(connection, keys)

    def stage_entries(self, keys: Sequence[int]) -> dict[int, list[Mapping[str, Any]]]:
        """Return phase, cost (nanodollars), duration and outcome of the agent runs of workflows, by key."""
        with self._reading() as connection:
            return run_queries.phase_segments(connection, keys)

    def clear_fingerprints(self, keys: Sequence[int]) -> None:
        """Make the next sync read these runs again, in every agents directory."""
        with self._writing() as connection:
            upsert_runs.clear_fingerprints(connection, keys)
            side_tables.delete_other_locations(connection, keys)

    def copy_fingerprints(self, agents_dir: str) -> dict[int, str]:
        """Return the fingerprints, by run key, of the copies of runs in this agents directory."""
        with self._reading() as connection:
            return side_tables.copy_fingerprints(connection, agents_dir)

    def runs_in_other_directories(self, keys: Sequence[int]) -> set[int]:
        """Return those of these runs that are in another agents directory, too."""
        with self._reading() as connection:
            return side_tables.runs_in_other_directories(connection, keys)

    def save_other_locations(
        self, agents_dir: str, keys: Sequence[int], previous_directories: Mapping[int, tuple[str, str]]
    ) -> None:
        """Record that runs were read in `agents_dir`.

        `previous_directories` has their directories before, with fingerprints, by run key.
        """
        with self._writing() as connection:
            side_tables.save_other_locations(connection, agents_dir, keys, previous_directories)

    def delete_other_locations(self, keys: Sequence[int]) -> None:
        """Make the next sync of the other directories of these runs read their copies again."""
        with self._writing() as connection:
            side_tables.delete_other_locations(connection, keys)

    def pruned_ids(self, project: str) -> frozenset[str]:
        """Return the ids of the pruned runs of a project."""
        with self._reading() as connection:
            return pruning.pruned_ids(connection, project)

    def prune(self, keys: Sequence[int], transferred: Mapping[int, int] | None = None) -> int:
        """Delete runs, record them as pruned, and return their number.

        `transferred` is the cost by key, in nanodollars, that is not recorded since remaining runs count it.
        """
        with self._writing() as connection:
            return pruning.prune(connection, keys, _now(), transferred or {})

    def delete_runs(self, keys: Sequence[int]) -> None:
        """Delete runs that are parts of other runs now, without recording them as pruned."""
        with self._writing() as connection:
            pruning.delete_runs(connection, keys)

    def mark_deleted(self, keys: Sequence[int], at: datetime) -> None:
        """Record that the files of these runs are missing."""
        with self._writing() as connection:
            upsert_runs.mark_deleted(connection, keys, to_timestamp(at))

    def mark_restored(self, keys: Sequence[int]) -> None:
        """Record that the files of these runs are present again."""
        with self._writing() as connection:
            upsert_runs.mark_restored(connection, keys)

    def keys_of(self, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Return the keys of the workflows with these projects and ids."""
        with self._reading() as connection:
            return upsert_runs.keys_of(connection, names)

    def problems(self, agents_dir: str, key: int | None = None) -> list[dict[str, Any]]:
        """Return the problems of the last sync of an agents directory, or of one of its runs."""
        with self._reading() as connection:
            return run_queries.read_problems(connection, agents_dir, key)

    def patterns(self, key: int) -> list[dict[str, Any]]:
        """Return the recurring patterns of one run: sequences first, then by cost, highest first."""
        with self._reading() as connection:
            return run_queries.read_patterns(connection, key)

    def similarity(self) -> SimilarityStore:
        """Return the store for computing lists of similar runs; each of its calls is one transaction."""
        return SimilarityStore(self._reading, self._writing)

    def merge_store(self) -> MergeStore:
        """Return the store for merging histories; each of its calls is one transaction."""
        return MergeStore(self._reading, self._writing, self._pattern_keys)

    def save_patterns(
        self, findings_by_run: Mapping[int, Sequence[Mapping[str, Any]]], *, detector: str = "builtin"
    ) -> None:
        """Replace the stored findings of a detector in these runs; `findings_by_run` is by run key."""
        rows = {key: to_pattern_rows(findings) for key, findings in findings_by_run.items()}
        self.save_pattern_rows(rows, detector=detector)

    def save_pattern_rows(
        self, rows_by_run: Mapping[int, Sequence[Row]], *, detector: str = "builtin"
    ) -> None:
        """Replace findings, as `save_patterns` does, by rows that may come from another process."""
        with self._writing() as connection:
            side_tables.save_patterns(connection, rows_by_run, detector, _now(), self._pattern_keys)

    def save_run_problems(
        self,
        agents_dir: str,
        problems_by_run: Mapping[int, Sequence[Problem]],
        *,
        new: AbstractSet[int] = frozenset(),
    ) -> None:
        """Replace the stored problems of these runs; runs in `new` have none stored."""
        with self._writing() as connection:
            side_tables.save_run_problems(connection, agents_dir, problems_by_run, new=new)

    def replace_run_problems(
        self, agents_dir: str, key: int, removed: Sequence[Problem], added: Sequence[Problem]
    ) -> None:
        """Delete the problems `removed` of a run, and add the problems `added` that are not stored yet."""
        with self._writing() as connection:
            side_tables.replace_run_problems(connection, agents_dir, key, removed, added)

    def save_folder_problems(self, agents_dir: str, problems: Sequence[Problem]) -> None:
        """Replace the stored problems of an agents directory outside stored runs."""
        with self._writing() as connection:
            side_tables.save_folder_problems(connection, agents_dir, problems)

    def read_checkpoints(self, keys: Sequence[int]) -> dict[int, dict[str, bytes]]:
        """Return the checkpoints (read positions of streams) by run key and path."""
        with self._reading() as connection:
            return run_queries.read_checkpoints(connection, keys)

    def save_checkpoints(
        self, checkpoints: Mapping[int, Mapping[str, bytes]], written: Mapping[int, int]
    ) -> None:
        """Replace the checkpoints of these runs; `written` is each run's last write, in ns since 1970."""
        with self._writing() as connection:
            side_tables.save_checkpoints(connection, checkpoints, written)

    def delete_old_checkpoints(self, before_ns: int) -> None:
        """Delete the checkpoints of runs last written before a time (ns since 1970): these no longer grow."""
        with self._writing() as connection:
            side_tables.delete_old_checkpoints(connection, before_ns)

    def save_claims(
        self, claims_by_run: Mapping[int, Sequence[Claim]], *, new: AbstractSet[int] = frozenset()
    ) -> None:
        """Store the claims of the streams of stored runs; runs in `new` have no claims yet."""
        with self._writing() as connection:
            message_claims.save_claims(connection, claims_by_run, new=new)

    def replace_claims(self, claims_by_run: Mapping[int, Sequence[Claim]]) -> None:
        """Replace all stored claims of these runs."""
        with self._writing() as connection:
            message_claims.replace_claims(connection, claims_by_run)

    def connected_claims(self, keys: Iterable[int]) -> dict[int, list[Claim]]:
        """Return the claims of these runs and of all runs that share messages with them, also indirectly."""
        with self._reading() as connection:
            return message_claims.connected_claims(connection, keys)

    def claims(self, keys: Sequence[int]) -> dict[int, list[Claim]]:
        """Return the claims of runs by key."""
        with self._reading() as connection:
            return message_claims.read_claims(connection, keys)

    def runs_sharing(self, units: Iterable[int]) -> set[int]:
        """Return the keys of the runs that share any of these units with another run."""
        with self._reading() as connection:
            return message_claims.runs_sharing(connection, units)

    def folder_problems_unchanged(self, agents_dir: str, problems: Sequence[Problem]) -> bool:
        """Return whether the problems of an agents directory outside stored runs are unchanged."""
        with self._reading() as connection:
            return side_tables.folder_problems_unchanged(connection, agents_dir, problems)

    def record_sync(self, sync: Mapping[str, Any]) -> None:
        """Store one sync. This changes the file, so a sync that wrote nothing else should not be recorded."""
        with self._writing() as connection:
            side_tables.record_sync(connection, sync)

    def syncs(self, limit: int, before: int) -> tuple[list[dict[str, Any]], int]:
        """Return recorded syncs with numbers below `before`, latest first, and the number of all syncs."""
        with self._reading() as connection:
            return run_queries.read_syncs(connection, limit, before)

    def view(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of one of the views in VIEW_COLUMNS."""
        if name not in VIEW_COLUMNS:
            raise InvalidQueryError(f"No view {name!r}. Use one of: {', '.join(VIEW_COLUMNS)}.")
        with self._reading() as connection:
            rows = connection.execute(select(text("*")).select_from(table(name)))
            return [dict(row) for row in rows.mappings()]

    def schema_version(self) -> str | None:
        """Return the revision of the tables."""
        with self._reading() as connection:
            return stored_revision(connection)

    def check(self) -> list[str]:
        """Return one message per problem; an empty list if there is none."""
        with self._reading() as connection:
            return integrity.check_integrity(connection)

    def copy_to(self, file: Path) -> bool:
        """Copy the current state into an empty file; return False if this kind of database cannot."""
        with translate_errors(self._url):
            return get_dialect(self._url).copy_to(self._connection, file)

    def before_close(self) -> None:
        """Prepare for closing, as the database file may have been replaced."""
        with translate_errors(self._url):
            get_dialect(self._url).before_close(self._connection)

    def vacuum(self) -> None:
        """Release unused space; takes as long as copying the whole history."""
        with translate_errors(self._url):
            get_dialect(self._url).vacuum(self._connection)

    def size(self) -> int:
        """Return the size of the history in bytes."""
        with translate_errors(self._url):
            return get_dialect(self._url).size(self._connection)

    def checkpoint_wal(self) -> None:
        """Merge the log into the database file; no other connection may be open."""
        with translate_errors(self._url):
            get_dialect(self._url).checkpoint_wal(self._connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run all calls in the block in one transaction: all changes are stored, or none."""
        with self._writing():
            self._in_transaction = True
            try:
                yield
            finally:
                self._in_transaction = False

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Run all calls in the block, which may only read, on one state of the history."""
        with self._reading():
            in_transaction, self._in_transaction = self._in_transaction, True
            try:
                yield
            finally:
                self._in_transaction = in_transaction

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self._in_transaction:
            yield self._connection
            return
        with translate_errors(self._url), read_transaction(self._connection) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self._in_transaction:
            yield self._connection
            return
        try:
            self._needs_flush = True
            with translate_errors(self._url), write_transaction(self._connection) as connection:
                yield connection
        except BaseException:
            self._pattern_keys.forget(0)  # rolled-back patterns have no key
            raise


def _storable_rows(
    workflow: Mapping[str, Any],
    project: str | None = None,
    run_id: str | None = None,
    *,
    keeps_text: bool,
) -> RunRows:
    try:
        return to_rows(workflow, project, run_id, keeps_text=keeps_text)
    except ValueError as error:
        raise WorkflowHistoryError(f"Cannot store the run {workflow.get('id')!r}: {error}") from error


def _column_reader(connection: Connection, keys: range | None) -> ColumnReader:
    from .column_cache.columns import ColumnReader  # noqa: PLC0415 - numpy takes longer to import than most commands take

    return ColumnReader(connection, keys)


def _now() -> str:
    return to_timestamp(datetime.now(UTC))
