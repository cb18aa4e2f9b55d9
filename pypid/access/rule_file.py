"""The file of access rules: who may do what with which projects.

The format is TOML, with groups of users, defaults for all projects, and rules for some of them::

    [groups]
    platform = ["ann", "bob"]
    [default]
    read = [":anyone"]
    [[project]]
    names = ["acme-*", "acme"]
    create = [":platform"]
    upload = [":owners", ":maintainers", "ci"]

The first rule whose names match a project decides. Actions missing from it are taken from the
defaults, and actions missing there from :data:`OPEN`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import translate
from typing import Any

from attrs import field, frozen

from pypid.errors import ConfigurationError, InvalidRules
from pypid.model import Action, Principal, Role
from pypid.names import name_pattern
from pypid.principals import is_user_name

__all__ = ["ANYONE", "OPEN", "USERS", "Grants", "Rule", "Rules", "includes", "load"]

ANYONE, USERS = ":anyone", ":users"
_ROLES = {Role.OWNER: ":owners", Role.MAINTAINER: ":maintainers"}
_SETS = frozenset({ANYONE, USERS, *_ROLES.values()})
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_WITHOUT_ROLES = {
    Action.READ: "reading is decided by the name alone, without a look at the project",
    Action.CREATE: "a project that is not here has none",
}

Grants = Mapping[Action, frozenset[str]]
"""Who may do each action: names of users, and names of sets of users, which begin with a colon."""

OPEN: Grants = {
    Action.READ: frozenset({ANYONE}),
    Action.UPLOAD: frozenset({USERS}),
    Action.CREATE: frozenset({USERS}),
    Action.YANK: frozenset({":owners", ":maintainers"}),
    Action.DELETE: frozenset({":owners"}),
    Action.ADMINISTER: frozenset({":owners"}),
}
"""The grants where a file says nothing."""


def includes(who: frozenset[str], principal: Principal | None, roles: frozenset[Role]) -> bool:
    """Return whether a principal is named in ``who``, or belongs to one of its sets.

    :param principal: ``None`` for somebody who is not signed in.
    :param roles: the principal's roles in the project.
    """
    if ANYONE in who or principal is None:
        return ANYONE in who
    return USERS in who or principal.name in who or any(_ROLES[role] in who for role in roles)


@frozen
class Rule:
    """The grants for some projects."""

    pattern: re.Pattern[str]
    """Matches the normalized names of those projects in full."""
    grants: Grants
    """Who may do what with them."""


@frozen
class Rules:
    """The content of a file of rules."""

    rules: Sequence[Rule] = ()
    """The rules for some projects; the first that matches decides."""
    default: Grants = field(factory=lambda: OPEN)
    """The grants for all other projects."""

    def permits(
        self, principal: Principal | None, action: Action, project: str | None, roles: frozenset[Role]
    ) -> bool:
        """Return whether ``principal`` may do ``action`` with ``project``.

        :param project: a normalized name; ``None`` asks whether there could be any such project.
        """
        if project is None:
            return any(includes(grants[action], principal, roles) for grants in self._all())
        return includes(self._of(project)[action], principal, roles)

    def readable(self, principal: Principal | None) -> tuple[bool, ...] | None:
        """Return a value that is equal for principals who may read the same projects.

        :returns: ``None`` if the principal may read every project.
        """
        may = tuple(includes(grants[Action.READ], principal, frozenset()) for grants in self._all())
        return None if all(may) else may

    def _of(self, project: str) -> Grants:
        return next((rule.grants for rule in self.rules if rule.pattern.fullmatch(project)), self.default)

    def _all(self) -> Iterator[Grants]:
        yield from (rule.grants for rule in self.rules)
        yield self.default


def load(data: bytes) -> Rules:
    """Read a file of rules.

    :raises InvalidRules: the file is wrong; the message says what and where.
    """
    try:
        return _rules(tomllib.loads(data.decode("utf-8-sig")))
    except ValueError as error:  # UnicodeDecodeError is a ValueError
        raise InvalidRules(" ".join(f"it is no TOML: {error}".split())) from None
    except RecursionError:
        raise InvalidRules("it is nested too deeply") from None


def _rules(document: Mapping[str, Any]) -> Rules:
    _check_keys(document, "", {"groups", "default", "project"})
    reader = _Reader(_table(document.get("groups", {}), "[groups]"))
    default = reader.grants(_table(document.get("default", {}), "[default]"), "[default]", OPEN)
    entries = document.get("project", [])
    if not isinstance(entries, list):
        raise InvalidRules("[project]: it is written [[project]]")
    rules = []
    for number, entry in enumerate(entries, 1):
        place = f"[[project]] number {number}"
        said = dict(_table(entry, place))
        patterns = [_pattern(one, place) for one in _texts(said.pop("names", None), f"{place}: names")]
        if not patterns:
            raise InvalidRules(f"{place}: names: there are none")
        grants = reader.grants(said, place, default)
        rules.append(Rule(re.compile("|".join(patterns)), grants))
    return Rules(tuple(rules), default)


class _Reader:
    """Reads lists of users and sets, and replaces the file's groups by their members."""

    def __init__(self, groups: Mapping[str, Any]) -> None:
        self._groups = groups
        self._known: dict[str, frozenset[str]] = {}
        for name in groups:
            place = f"[groups]: {name!a}"
            if f":{name}" in _SETS:
                raise InvalidRules(f"{place}: it is the name of a set that is built in")
            if _GROUP.fullmatch(name) is None:
                raise InvalidRules(f"{place}: a group has a name of letters, digits and . _ -")
            self._group(name, ())

    def grants(self, said: Mapping[str, Any], place: str, default: Grants) -> Grants:
        """Read the grants of a table; actions missing from it are taken from ``default``."""
        actions = {action.value: action for action in Action}
        _check_keys(said, place, set(actions))
        grants = dict(default)
        for key, value in said.items():
            action, where = actions[key], f"{place}: {key}"
            grants[action] = self._members(value, where, ())
            for role in _ROLES.values():
                if role in grants[action] and action in _WITHOUT_ROLES:
                    raise InvalidRules(f"{where}: it cannot have {role}: {_WITHOUT_ROLES[action]}")
        return grants

    def _members(self, value: Any, place: str, inside: tuple[str, ...]) -> frozenset[str]:
        members: set[str] = set()
        for word in _texts(value, place):
            if word in _SETS or is_user_name(word):
                members.add(word)
            elif word.startswith(":") and word[1:] in self._groups:
                members |= self._group(word[1:], inside)
            elif word.startswith(":"):
                known = ", ".join(sorted({*_SETS, *(f":{name}" for name in self._groups)}))
                raise InvalidRules(f"{place}: there is no {word[:80]!a}; there are {known}")
            else:
                raise InvalidRules(f"{place}: {word[:80]!a} is no user name: 1 to 64 of A-Z a-z 0-9 . _ @ -")
        return frozenset(members)

    def _group(self, name: str, inside: tuple[str, ...]) -> frozenset[str]:
        if name in inside:
            raise InvalidRules(f"[groups]: {name} is inside itself: {' > '.join((*inside, name))}")
        if name not in self._known:
            self._known[name] = self._members(self._groups[name], f"[groups]: {name}", (*inside, name))
        return self._known[name]


def _check_keys(said: Mapping[str, Any], place: str, known: set[str]) -> None:
    if unknown := said.keys() - known:
        where = f"{place}: " if place else ""
        choice = ", ".join(sorted(known))
        raise InvalidRules(f"{where}there is nothing called {min(unknown)[:80]!a}; there are {choice}")


def _table(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRules(f"{place}: it is no table")
    return value


def _texts(value: Any, place: str) -> Sequence[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidRules(f'{place}: it must be a list of texts, as ["one", "two"]')
    return value


def _pattern(text: str, place: str) -> str:
    """Return a pattern of names as a regular expression, which matches without backtracking."""
    try:
        return translate(name_pattern(text))
    except ConfigurationError as error:
        raise InvalidRules(f"{place}: names: {error}") from None
