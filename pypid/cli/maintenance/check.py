"""The verbs ``check`` and ``accept``: what is wrong in an index, and files changed on disk."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import click
from attrs import define, field

from pypid.catalog import schema
from pypid.catalog.sqlite import SqliteCatalog
from pypid.cli.commands import ProjectName, ask
from pypid.cli.open_index import IndexOptions, opened, owned, run
from pypid.cli.param_types import Validated
from pypid.errors import CannotStart
from pypid.index.administration import ProjectAdministration
from pypid.maintenance import storage_check
from pypid.maintenance.archive_sample import parse_share, sampler
from pypid.maintenance.catalog_check import CatalogFile, differing, file_fault
from pypid.maintenance.findings import Finding, Result
from pypid.maintenance.tree_check import TreeCheck
from pypid.runtime.workers import InlineWorkers

__all__ = ["accept", "check"]


@click.command(short_help="Read everything, and name what is wrong.")
@click.option("--repair", is_flag=True, help="Repair what can be repaired, and say what cannot.")
@click.option(
    "--sample",
    "share",
    type=Validated("share", parse_share),
    default="100%",
    metavar="SHARE",
    help="Read this share of the archives from end to end, as in 5%, chosen at random.  [default: 100%]",
)
@click.pass_context
def check(context: click.Context, repair: bool, share: float) -> None:
    """Read every archive against its record and the catalog against the tree, and name what is wrong.

    It has a line each for: archives that are missing, damaged, withheld or unreadable; records, core
    metadata, signatures and attestations that are damaged or lost; removals and replacements that a dead
    process left half done; archives that lie where nobody looks for them; and a catalog that is damaged or
    wrong. It runs beside the daemon, and ends with 1 if anything is wrong when it is done.
    """
    report = _Report(context.obj, repair, sampler(share))
    report.tree()
    report.catalog_file()
    projects = report.index()
    if report.is_wrong:
        context.exit(1)
    if not report.told:
        click.echo(f"nothing to complain of in {projects} project{'' if projects == 1 else 's'}")


@click.command(short_help="Take changed files as they are.")
@click.argument("name", type=ProjectName())
@click.option("--file", "filename", metavar="FILE", help="Only this one of the files.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def accept(index: IndexOptions, name: str, filename: str | None, yes: bool) -> None:
    """Take files of a project as they are whose bytes were changed on disk since they were published.

    They are withheld until then; `pypid check` names them. Better is to copy the right file back, which needs
    no word to pypid: whoever has the old digest in a lock file can install no other. What lies beside
    the file, such as a signature, is of the old bytes, and is removed.
    """
    with opened(index) as administration:
        if not yes:
            ask(f"offer {filename or f'the changed files of {name}'} with other bytes than were published")
        changed = run(administration.accept(name, filename))
    click.echo(f"accepted {', '.join(changed)}" if changed else "nothing to do: no file was changed")


@define
class _Report:
    """The parts of a check, each of which prints what it finds."""

    _index: IndexOptions
    _repairing: bool
    _reads: Callable[[str], bool]
    """Decides whether an archive is read from end to end."""
    told: bool = field(default=False, init=False)
    """Whether anything was found."""
    is_wrong: bool = field(default=False, init=False)
    """Whether anything is still wrong."""
    _known: set[tuple[str, str]] = field(factory=set, init=False)
    """The projects and files about which something was found in the tree."""
    _is_catalog_usable: bool = field(default=True, init=False)

    def tree(self) -> None:
        """Check the tree, if the storage is a directory."""
        with owned(self._index), closing(CatalogFile(self._index.layout.catalog)) as catalog:
            if self._index.files is None:
                return
            checking = TreeCheck(self._index.files, catalog.content, self._reads, self._repairing)
            try:
                for result in checking.run():
                    self._tell(result)
            except OSError as error:
                raise CannotStart(f"cannot read {self._index.files}: {error.strerror}") from error
            self._known |= checking.wrong

    def catalog_file(self) -> None:
        """Check that the catalog's file is intact. It must not be opened otherwise before that."""
        with owned(self._index):
            fault = file_fault(self._index.layout.catalog)
            if fault is not None:
                self._is_catalog_usable = self._tell_of_catalog([fault])

    def index(self) -> int:
        """Check the storage, and the catalog against it, and return the number of projects."""
        with opened(self._index) as administration:
            storage, catalog = administration.storage, administration.catalog
            names = run(storage.projects())
            if not self._is_catalog_usable:
                catalog = SqliteCatalog(storage, None, InlineWorkers())
            lines = run(storage_check.not_offered(storage, catalog, names, self._known))
            if self._index.files is None:
                lines = [*lines, *run(storage_check.damaged(storage, names, self._reads))]
            for line in lines:
                self._tell(Result(f"cannot be repaired: {line}" if self._repairing else line, is_wrong=True))
            if self._is_catalog_usable:
                self._compare(administration)
        return len(names)

    def _compare(self, administration: ProjectAdministration) -> None:
        storage = administration.storage
        names = [name for name in run(storage.projects()) if (name, "") not in self._known]
        with closing(SqliteCatalog(storage, None, InlineWorkers())) as fresh:
            faults = [*run(differing(administration.catalog, fresh, names))]
        if self._index.layout.catalog.exists():
            faults += CatalogFile(self._index.layout.catalog).journal_faults()
        if faults:
            self._tell_of_catalog(faults)

    def _tell_of_catalog(self, faults: list[str]) -> bool:
        """Report the faults of the catalog, and return whether it was repaired, which is done once."""

        def repair() -> str:
            schema.delete(self._index.layout.catalog)
            return "the catalog was deleted, and is made anew from the tree"

        results = [
            Result.of(Finding(".pypid/catalog.sqlite", fault, repair=repair), repairing=self._repairing)
            for fault in faults
        ]
        for result in results:
            self._tell(result)
        return not any(result.is_wrong for result in results)

    def _tell(self, result: Result) -> None:
        self.told, self.is_wrong = True, self.is_wrong or result.is_wrong
        click.echo(result.line)
