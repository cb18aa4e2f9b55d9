"""The file of access rules: its syntax and its meaning."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.access.rule_file import OPEN, Rules, includes, load
from pypid.errors import InvalidRules
from pypid.model import Action, Limits, Principal, Role
from pypid.names import name_pattern
from pypid.upload import UploadRules
from pypid.upstream import release_policy

ANN, BOB, CI, EVE = map(Principal, ("ann", "bob", "ci", "eve"))
NOTHING = frozenset[Role]()
OWNER, MAINTAINER = frozenset({Role.OWNER}), frozenset({Role.MAINTAINER})
EXAMPLE = b"""
[groups]
platform = ["ann", "bob"]
staff = [":platform", "ci"]

[default]
read = [":anyone"]

[[project]]
names = ["acme-*", "acme"]
read = [":staff"]
create = [":platform"]
upload = [":owners", ":maintainers", "ci"]
"""


def permitted(rules: Rules, action: Action, project: str | None, roles: frozenset[Role] = NOTHING) -> str:
    """Name those who may do something."""
    return " ".join(
        one.name if one is not None else "anyone"
        for one in (None, ANN, BOB, CI, EVE)
        if rules.permits(one, action, project, roles)
    )


def test_example() -> None:
    rules = load(EXAMPLE)
    assert permitted(rules, Action.READ, "acme-tools") == "ann bob ci"
    assert permitted(rules, Action.CREATE, "acme") == "ann bob"
    assert permitted(rules, Action.UPLOAD, "acme") == "ci"
    assert permitted(rules, Action.UPLOAD, "acme", MAINTAINER) == "ann bob ci eve"
    assert permitted(rules, Action.YANK, "acme") == ""
    assert permitted(rules, Action.DELETE, "acme", MAINTAINER) == ""
    assert permitted(rules, Action.DELETE, "acme", OWNER) == "ann bob ci eve"
    for project in ("other", "acmes", "xacme", "tools-acme-x"):
        assert permitted(rules, Action.READ, project) == "anyone ann bob ci eve"
        assert permitted(rules, Action.CREATE, project) == "ann bob ci eve"


def test_whatever_is_not_known_yet() -> None:
    """Without a project it is asked whether there could be any."""
    rules = load(EXAMPLE)
    assert permitted(rules, Action.READ, None) == "anyone ann bob ci eve"
    strict = load(EXAMPLE + b'[[project]]\nnames = ["*"]\nread = []\nupload = [":owners"]\ncreate = []\n')
    assert permitted(strict, Action.UPLOAD, None, frozenset(Role)) == "ann bob ci eve"
    strict = load(b'[default]\nread = []\n[[project]]\nnames = ["a"]\nread = ["ann"]\n')
    assert permitted(strict, Action.READ, None) == "ann"


def test_the_first_rule_that_fits_decides() -> None:
    """Also with what it does not say: that comes from the defaults, and not from the next rule."""
    rules = load(
        b"""
        [default]
        upload = ["ci"]
        [[project]]
        names = ["acme-public-*"]
        [[project]]
        names = ["acme-*"]
        read = ["ann"]
        upload = []
        """
    )
    assert permitted(rules, Action.READ, "acme-public-x") == "anyone ann bob ci eve"
    assert permitted(rules, Action.UPLOAD, "acme-public-x") == "ci"
    assert permitted(rules, Action.READ, "acme-x") == "ann"
    assert permitted(rules, Action.UPLOAD, "acme-x", OWNER) == ""


def test_an_empty_file_is_open() -> None:
    rules = load(b"")
    for one, action, roles in product((None, ANN), Action, (NOTHING, OWNER, MAINTAINER)):
        assert rules.permits(one, action, "foo", roles) is includes(OPEN[action], one, roles)


def test_t04_names_are_compared_as_pep_503_says() -> None:
    """A rule fits a project however the rule spells it: projects come normalized."""
    rules = load(b'[[project]]\nnames = ["Acme.Lib", "Big__*"]\nread = ["ann"]\n')
    assert permitted(rules, Action.READ, "acme-lib") == "ann"
    assert permitted(rules, Action.READ, "big-thing") == "ann"
    assert permitted(rules, Action.READ, "acmexlib") == "anyone ann bob ci eve"


def test_readers_of_the_same_have_one_value() -> None:
    rules = load(EXAMPLE)
    assert rules.readable(ANN) is rules.readable(CI) is None
    assert rules.readable(EVE) == rules.readable(None) is not None
    hidden = load(EXAMPLE + b'[[project]]\nnames = ["secret"]\nread = ["ann"]\n')
    assert hidden.readable(ANN) is None
    assert len({hidden.readable(one) for one in (ANN, CI, EVE)}) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[project]\n", "it is no TOML: .*line 1"),
        ('a = "\xff', "it is no TOML: .*utf-8"),
        ("[project]\nnames = ['a']", r"it is written \[\[project\]\]"),
        ("[default]\nread = 1", r"^\[default\]: read: it must be a list of texts"),
        ("[default]\nread = [1]", r"^\[default\]: read: it must be a list of texts"),
        (
            "[default]\nraed = []",
            r"^\[default\]: there is nothing called 'raed'; there are administer, create",
        ),
        ("[defaults]\nread = []", "^there is nothing called 'defaults'; there are default, groups, project"),
        ("default = 1", r"^\[default\]: it is no table"),
        ("groups = []", r"^\[groups\]: it is no table"),
        ("project = [1]", r"^\[\[project\]\] number 1: it is no table"),
        ("[[project]]\nread = []", r"^\[\[project\]\] number 1: names: it must be a list"),
        ("[[project]]\nnames = []", r"^\[\[project\]\] number 1: names: there are none"),
        ("[[project]]\nnames = 'a'", "names: it must be a list"),
        (
            "[[project]]\nnames = ['a']\n[[project]]\nnames = ['a b']",
            r"number 2: names: 'a b' is not a pattern",
        ),
        ("[[project]]\nnames = ['a']\nfoo = []", r"number 1: there is nothing called 'foo'"),
        ("[default]\nread = [':anyones']", r"there is no ':anyones'; there are :anyone, :maintainers, :own"),
        ("[groups]\na = ['x']\n[default]\nread = [':b']", r"there is no ':b'; there are :a, :anyone"),
        ("[default]\nread = ['a:b']", r"read: 'a:b' is no user name"),
        ("[default]\nupload = ['']", r"upload: '' is no user name"),
        ("[default]\nupload = ['__token__']", r"is no user name"),
        ("[groups]\nusers = ['a']", r"^\[groups\]: 'users': it is the name of a set that is built in"),
        ("[groups]\n'a b' = ['a']", r"^\[groups\]: 'a b': a group has a name of"),
        ("[groups]\na = 'b'", r"^\[groups\]: a: it must be a list"),
        ("[groups]\na = [':a']", r"a is inside itself: a > a"),
        ("[groups]\na = [':b']\nb = ['x', ':c']\nc = [':a']", "a is inside itself: a > b > c > a"),
        (
            "[default]\nread = [':owners']",
            "read: it cannot have :owners: reading is decided by the name alone",
        ),
        ("[default]\ncreate = [':maintainers']", "create: it cannot have :maintainers: .* has none"),
        ("[groups]\nus = [':owners']\n[default]\nread = [':us']", "read: it cannot have :owners"),
        ("a = " + "[" * 5000, "nested too deeply"),
    ],
)
def test_mistakes_are_named_with_their_place(text: str, said: str) -> None:
    with pytest.raises(InvalidRules) as refusal:
        load(text.encode("latin-1"))
    assert re.search(said, str(refusal.value)), refusal.value
    assert len(str(refusal.value).splitlines()) == 1


def test_groups_may_have_what_only_some_actions_take() -> None:
    rules = load(b'[groups]\nus = [":owners", ":users"]\n[default]\nupload = [":us"]\ndelete = [":us"]\n')
    assert permitted(rules, Action.DELETE, "foo") == "ann bob ci eve"


@pytest.mark.parametrize(
    "fits",
    [
        lambda pattern, name: load(f"[[project]]\nnames = ['{pattern}', 'b']\nread = []".encode()).permits(
            None, Action.READ, name, NOTHING
        ),
        lambda pattern, name: Limits(frozenset({Action.READ}), (pattern,)).permits(Action.READ, name),
        lambda pattern, name: release_policy.ReleaseRule.parse(pattern).matches_project(name),
        lambda pattern, name: UploadRules(overwrite=(pattern,)).may_replace(name),
    ],
    ids=["access rules", "tokens", "selections", "overwriting"],
)
def test_fault_e6_no_name_takes_a_pattern_long(fits: Callable[[str, str], bool]) -> None:
    """A pattern is gone through once, however many stars it has: there are seconds of going back in these."""
    begun = time.thread_time()
    for stars in (2, 5, 40):
        assert fits("*a" * stars + "*c", "a" * 100) is fits("x", "a")
        assert fits("*a" * stars + "*c", "a" * 99 + "c") is fits("a", "a")
        assert time.thread_time() - begun < 0.5


@given(
    st.lists(st.sampled_from(["a", "b", "-", "*"]), min_size=1),
    st.from_regex(r"[ab](-?[ab])*", fullmatch=True),
)
def test_fault_e6_a_pattern_means_what_it_meant(parts: list[str], name: str) -> None:
    """A star stands for any characters, the rest for itself."""
    pattern = "".join(parts)
    try:
        rules = load(f"[[project]]\nnames = ['{pattern}']\nread = []".encode())
    except InvalidRules:
        return
    expected = re.fullmatch(".*".join(map(re.escape, name_pattern(pattern).split("*"))), name)
    assert rules.permits(None, Action.READ, name, NOTHING) is (expected is None)


NAMES = st.sampled_from(["ann", "bob", "ci"])
WORDS = st.lists(st.sampled_from(["ann", "bob", "ci", ":anyone", ":users", ":one", ":two"]), max_size=3)
RULE = st.dictionaries(st.sampled_from([action.value for action in Action]), WORDS)


def _written(table: dict[str, list[str]]) -> str:
    return "".join(f"{key} = {value!r}\n" for key, value in table.items())


@given(st.lists(NAMES), st.lists(NAMES), RULE, st.lists(RULE, max_size=3), st.sampled_from("abcd"))
def test_decision(
    one: list[str],
    two: list[str],
    default: dict[str, list[str]],
    rules: list[dict[str, list[str]]],
    asked: str,
) -> None:
    """It is what reading the file from top to bottom gives, for each action and whoever asks."""
    text = f"[groups]\none = {one!r}\ntwo = {[*two, ':one']!r}\n[default]\n{_written(default)}"
    for name, rule in zip("abc", rules, strict=False):
        text += f"[[project]]\nnames = [{name!r}]\n{_written(rule)}"
    loaded = load(text.encode())
    [chosen] = [rule for name, rule in zip("abc", rules, strict=False) if name == asked] or [{}]
    for action, who in product(Action, (None, ANN, BOB, CI, EVE)):
        words = chosen.get(action.value, default.get(action.value, sorted(OPEN[action])))
        expected = ":anyone" in words
        if who is not None:
            groups = {":one": one, ":two": [*one, *two], ":users": [who.name]}
            expected |= any(who.name in groups.get(word, [word]) for word in words)
        assert loaded.permits(who, action, asked, NOTHING) is expected


@given(st.binary() | st.text().map(str.encode))
def test_anything_else_is_refused_in_one_way(data: bytes) -> None:
    try:
        load(data)
    except InvalidRules as error:
        assert len(str(error).splitlines()) == 1
