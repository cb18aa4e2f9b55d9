"""The administrator's rules for the projects and files of an upstream that are offered."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache

from attrs import evolve, frozen
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from pypid.errors import ConfigurationError, NameWithheld, Withheld
from pypid.formats.quantities import written_duration
from pypid.model import File, Project
from pypid.names import ArchiveKind, name_pattern

__all__ = ["FilteredProject", "ReleasePolicy", "ReleaseRule"]

LATEST = datetime.max.replace(tzinfo=UTC)

_RULE = re.compile(r"(?P<pattern>[^<>=!~]+?)\s*(?P<specifier>[<>=!~].*)?")


@frozen
class ReleaseRule:
    """A pattern of project names, optionally with a version specifier."""

    text: str
    """The rule as it was written, such as ``django<5`` or ``acme-*``."""
    pattern: str
    """A pattern of normalized names."""
    versions: SpecifierSet | None
    """The versions that match; ``None`` if all do."""

    @classmethod
    def parse(cls, text: str) -> ReleaseRule:
        """Parse a rule. :raises ConfigurationError: it is malformed."""
        match = _RULE.fullmatch(text)
        if match is None or not text.isascii() or not text.isprintable():
            raise ConfigurationError(f"{text!r} is not a rule like acme-* or django<5")
        try:
            versions = SpecifierSet(match["specifier"]) if match["specifier"] else None
        except InvalidSpecifier:
            raise ConfigurationError(f"{text!r} has no version specifier like <5 or ==4.2.*") from None
        return cls(text, name_pattern(match["pattern"]), versions)

    def matches_project(self, project: str) -> bool:
        """Return whether a normalized project name matches."""
        return fnmatchcase(project, self.pattern)

    def matches_version(self, version: str, unordered: bool) -> bool:
        """Return whether a version matches; return ``unordered`` for a version that is invalid by PEP 440."""
        if self.versions is None:
            return True
        try:
            return self.versions.contains(Version(version), prereleases=True)
        except InvalidVersion:
            return unordered


@frozen
class FilteredProject:
    """The files of a project that are offered at some time."""

    source: Project
    """The project as the upstream has it."""
    project: Project
    """The project with the offered files, and the reasons for each withheld one."""
    until: datetime | None
    """Time in UTC when the next file reaches its minimum age; ``None`` if no file waits for that."""

    def is_outdated(self, now: datetime) -> bool:
        """Return whether the project has to be filtered again."""
        return self.until is not None and now >= self.until


@frozen
class ReleasePolicy:
    """The rules for an upstream. A file is offered if it passes all of them."""

    allow: Sequence[ReleaseRule] = ()
    """If there are any, only matching projects and versions are offered."""
    deny: Sequence[ReleaseRule] = ()
    """Matching projects and versions are never offered."""
    min_age: timedelta = timedelta(0)
    """Minimum age of a file."""
    ageless: Sequence[str] = ()
    """Patterns of project names to which the minimum age does not apply."""
    before: datetime | None = None
    """Time in UTC before which a file must have been uploaded; ``None`` for no limit."""
    unknown_is_young: bool = True
    """Whether a file with unknown upload time counts as uploaded just now."""
    only_wheels: bool = False
    """Whether only wheels are offered."""

    @property
    def rules(self) -> Sequence[str]:
        """The rules in the format of the command line's options."""
        named = {"allow": self.allow, "deny": self.deny}
        rules = [f"{key}={','.join(rule.text for rule in some)}" for key, some in named.items() if some]
        if self.min_age:
            rules.append(f"min-age={written_duration(self.min_age)}")
        if self.before is not None:
            rules.append(f"before={self.before:%Y-%m-%dT%H:%M}")
        if self.only_wheels:
            rules.append("only=wheels")
        return rules

    def check_name(self, project: str) -> None:
        """Check a project by its normalized name alone.

        :raises NameWithheld: a rule withholds the project whatever its files.
        """
        if self.allow and not any(rule.matches_project(project) for rule in self.allow):
            raise NameWithheld(f"{project} is withheld: no allow rule names it")
        for rule in self.deny:
            if rule.versions is None and rule.matches_project(project):
                raise NameWithheld(f"{project} is withheld by the rule deny={rule.text}")

    def check_file(self, project: str, file: File, now: datetime) -> None:
        """Check a file at the time ``now``. :raises Withheld: a rule withholds it."""
        self.check_name(project)
        reason, _ = self._judge(project, now)(file)
        if reason is not None:
            raise Withheld(_withheld(file, reason))

    def select(
        self, project: Project, now: datetime, refusal: Callable[[str], str | None] = lambda _: None
    ) -> FilteredProject:
        """Return a project with the files that are offered at the time ``now``.

        If no file is withheld, the project in the result is the same object. For a large project
        this takes long and belongs in a worker.

        :param refusal: returns the reason why ``http(s)://host[:port]`` may not be requested, or
            ``None`` if it may. Provenance at such URLs is left out of the files.
        :raises NameWithheld: a rule withholds the project whatever its files.
        """
        self.check_name(project.name)
        judge = self._judge(project.name, now)
        host_refusal = cache(refusal)

        def refused(url: str | None) -> str | None:
            return host_refusal("/".join(url.split("/", 3)[:3])) if url is not None else None

        offered: list[File] = []
        withheld: dict[str, str] = {}
        until: datetime | None = None
        for file in project.files:
            reason, of_age = judge(file)
            reason = reason or refused(file.url)
            if of_age is not None:
                until = min(until or of_age, of_age)
            if reason is None:
                offered.append(evolve(file, provenance_url=None) if refused(file.provenance_url) else file)
            else:
                withheld[file.filename] = _withheld(file, reason)
        files = tuple(offered)
        if files == project.files:
            return FilteredProject(project, project, None)
        return FilteredProject(project, evolve(project, files=files, withheld=withheld), until)

    def _judge(self, project: str, now: datetime) -> Callable[[File], tuple[str | None, datetime | None]]:
        """Return a function that judges a file: the rule that withholds it, and when it will be old enough.

        Either is ``None`` if there is no such rule or time.
        """
        allow = [rule for rule in self.allow if rule.matches_project(project)]
        deny = [rule for rule in self.deny if rule.matches_project(project)]
        ageless = not self.min_age or any(fnmatchcase(project, pattern) for pattern in self.ageless)

        @cache
        def by_version(version: str) -> str | None:
            # An invalid version never matches an allow rule, and always matches a deny rule.
            if allow and not any(rule.matches_version(version, unordered=False) for rule in allow):
                return f"allow={','.join(rule.text for rule in allow)}"
            return next(
                (f"deny={rule.text}" for rule in deny if rule.matches_version(version, unordered=True)), None
            )

        def judge(file: File) -> tuple[str | None, datetime | None]:
            if reason := by_version(file.version):
                return reason, None
            if self.only_wheels and file.kind is not ArchiveKind.WHEEL:
                return "only=wheels", None
            time = file.upload_time
            if time is None:
                if self.unknown_is_young and (self.before is not None or not ageless):
                    return "its upload time is unknown; see unknown-age=", None
                return None, None
            if self.before is not None and time >= self.before:
                return f"before={self.before:%Y-%m-%dT%H:%M}", None
            if not ageless and now - time < self.min_age:
                of_age = min(time, LATEST - self.min_age) + self.min_age
                return f"min-age={written_duration(self.min_age)}, until {of_age:%Y-%m-%d %H:%M} UTC", of_age
            return None, None

        return judge


def _withheld(file: File, rule: str) -> str:
    return f"{file.filename} is withheld: {rule}"
