"""Which of an upstream's projects and files are offered, by the administrator's rules."""

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

__all__ = ["ReleasePolicy", "ReleaseRule", "FilteredProject"]

LATEST = datetime.max.replace(tzinfo=UTC)

_RULE = re.compile(r"(?P<pattern>[^<>=!~]+?)\s*(?P<specifier>[<>=!~].*)?")


@frozen
class ReleaseRule:
    """Names of projects, and maybe versions of theirs."""

    text: str
    """How it was written, such as ``django<5`` or ``acme-*``."""
    pattern: str
    """A pattern of normalized names."""
    versions: SpecifierSet | None
    """The versions that it is about; ``None`` if it is about the project as a whole."""

    @classmethod
    def parse(cls, text: str) -> ReleaseRule:
        """Read a rule as it is written. :raises ConfigurationError: it is none."""
        match = _RULE.fullmatch(text)
        if match is None or not text.isascii() or not text.isprintable():
            raise ConfigurationError(f"{text!r} is not a rule like acme-* or django<5")
        try:
            versions = SpecifierSet(match["specifier"]) if match["specifier"] else None
        except InvalidSpecifier:
            raise ConfigurationError(f"{text!r} has no version specifier like <5 or ==4.2.*") from None
        return cls(text, name_pattern(match["pattern"]), versions)

    def names(self, project: str) -> bool:
        """Tell whether it is about a project."""
        return fnmatchcase(project, self.pattern)

    def contains(self, version: str, unordered: bool) -> bool:
        """Tell whether it is about a version; ``unordered`` is the answer for what PEP 440 does not know."""
        if self.versions is None:
            return True
        try:
            return self.versions.contains(Version(version), prereleases=True)
        except InvalidVersion:
            return unordered


@frozen
class FilteredProject:
    """What is offered of a project at a time."""

    source: Project
    """The project as the upstream has it."""
    project: Project
    """The project with the files that are offered, and the reasons why others are not."""
    until: datetime | None
    """When the first of the files that are too young comes of age."""

    def is_over(self, now: datetime) -> bool:
        """Tell whether another selection is due."""
        return self.until is not None and now >= self.until


@frozen
class ReleasePolicy:
    """What is offered of an upstream. A file has to pass all that is set."""

    allow: Sequence[ReleaseRule] = ()
    """If there are any, only what one of them is about."""
    deny: Sequence[ReleaseRule] = ()
    """Never what one of them is about."""
    min_age: timedelta = timedelta(0)
    """How old a file has to be."""
    ageless: Sequence[str] = ()
    """Patterns of names of projects whose files may be younger."""
    before: datetime | None = None
    """Before which time, in UTC, a file has to have been uploaded."""
    unknown_is_young: bool = True
    """Whether a file of unknown age is taken for one that was uploaded just now."""
    only_wheels: bool = False
    """Whether nothing but wheels is offered."""

    @property
    def rules(self) -> Sequence[str]:
        """What is set, as options have it."""
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
        """Let a project pass of which something may be offered, going by its name.

        :raises NameWithheld: nothing is, whatever it has.
        """
        if self.allow and not any(rule.names(project) for rule in self.allow):
            raise NameWithheld(f"{project} is withheld: no allow rule names it")
        for rule in self.deny:
            if rule.versions is None and rule.names(project):
                raise NameWithheld(f"{project} is withheld by the rule deny={rule.text}")

    def check_file(self, project: str, file: File, now: datetime) -> None:
        """Let a file pass that is offered at the time ``now``. :raises Withheld: it is not."""
        self.check_name(project)
        reason, _ = self._judge(project, now)(file)
        if reason is not None:
            raise Withheld(_withheld(file, reason))

    def select(
        self, project: Project, now: datetime, refusal: Callable[[str], str | None] = lambda _: None
    ) -> FilteredProject:
        """Select the files that are offered at the time ``now``; of a large project it takes long.

        If that is all of them, the project is the very same object.

        :param refusal: says why nothing may be fetched from ``http(s)://host[:port]``, if that is so.
            Of provenance that may not be fetched the files do not tell.
        :raises NameWithheld: nothing of the project is offered, whatever it has.
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
        """Make what tells which rule withholds a file, and until when if it is too young."""
        allow = [rule for rule in self.allow if rule.names(project)]
        deny = [rule for rule in self.deny if rule.names(project)]
        ageless = not self.min_age or any(fnmatchcase(project, pattern) for pattern in self.ageless)

        @cache
        def by_version(version: str) -> str | None:
            # A version that is none is not among those that a rule allows, and is denied with any.
            if allow and not any(rule.contains(version, unordered=False) for rule in allow):
                return f"allow={','.join(rule.text for rule in allow)}"
            return next(
                (f"deny={rule.text}" for rule in deny if rule.contains(version, unordered=True)), None
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
