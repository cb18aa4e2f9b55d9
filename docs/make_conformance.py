"""Makes ``conformance.md`` of the tests: ``python docs/make_conformance.py``; with ``--check`` compares.

Every test whose name begins with ``test_c`` and a number tests the statement of that number;
the first paragraph of its docstring is the statement.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests" / "functional"
TABLE = HERE / "conformance.md"

SECTIONS = {
    "Routes and names": range(1, 18),
    "Which representation a client gets": range(18, 32),
    "Pages as JSON": range(32, 57),
    "Pages as HTML": range(57, 73),
    "Yanked releases and the status of projects": range(73, 80),
    "Files, and the metadata beside them": range(80, 98),
    "Caches": range(98, 107),
    "Reading that needs a sign-in": range(107, 118),
    "What an upload may look like, and where it is sent": range(118, 141),
    "What an upload is answered": range(141, 155),
    "What is checked of an upload": range(155, 173),
    "Legacy JSON, XML-RPC, serials and feeds": range(173, 179),
}
SHOULD = {
    *(4, 5, 11, 26, 35, 38, 43, 52, 56, 61, 63, 66, 68, 70, 71, 79, 88, 89, 91, 94),
    *(103, 105, 106, 111, 117, 119, 135, 136, 140, 147, 150, 153, 159, 162, 166, 168, 170, 177),
}
NICE = {16, 17, 28, 49, 67, 69, 92, 97, 112, 137, 169, 173, 174, 175, 176, 178}
LEFT_OUT = {
    49: (
        "JSON has `data-dist-info-metadata`, as PyPI's has.",
        "the two clients that know it read `core-metadata` first",
    ),
    79: (
        "Quarantined projects are on no list.",
        "they stay listed, without files, so that mirrors hear of it and take away what they have",
    ),
    96: (
        "A redirect to an object storage is temporary, absolute, and needs no sign-in.",
        "files are sent from the tree; there is no object storage yet",
    ),
    169: (
        "An upload under a name that is reserved for others is a 409.",
        "the rules say who may make projects of a name, and what they forbid is a 403",
    ),
}
PARTLY = {
    114: "Names in a users file are of ASCII letters, digits and `. _ - @`.",
    170: "There are no options to forbid either.",
    171: "The size of a project, and of all of them, is not limited.",
}
HEAD = """\
# Conformance

<!-- Made by docs/make_conformance.py of the tests; do not edit. -->

What a package index owes its clients, statement by statement, and the test that shows it against
the real daemon. *MUST* is what a standard requires, or what a current client breaks without.
*SHOULD* is what a standard recommends, or what prevents a known accident. *NICE* helps a rare or
old client. A number never changes its meaning; [test-numbers.md](test-numbers.md) explains the
other numbers.

The tests are in `tests/functional/`, in the module named under each heading. In
`tests/functional/test_installers.py` the installers themselves, from easy_install to uv, install
from pypid. In `tests/functional/test_upload_clients.py` clients from `setup.py` to uv upload to
it. [clients.md](clients.md) is for users.
"""


def tests() -> Iterator[tuple[int, str, str, str]]:
    """Give number, statement, name and module of each test."""
    for module in sorted(TESTS.glob("test_conformance_*.py")):
        for node in ast.parse(module.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            match = re.match(r"test_c(\d{3})_", node.name)
            statement = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
            if match is None or not statement:
                raise SystemExit(f"{module.name}: {node.name} has no number or no docstring")
            yield int(match[1]), statement, node.name, module.name


def table() -> str:
    """Write the page."""
    found: dict[int, list[tuple[str, str, str]]] = {}
    for number, *rest in tests():
        found.setdefault(number, []).append((rest[0], rest[1], rest[2]))
    numbers = {number for section in SECTIONS.values() for number in section}
    if wrong := sorted(found.keys() & LEFT_OUT.keys() | numbers ^ (found.keys() | LEFT_OUT.keys())):
        raise SystemExit(f"neither tested nor left out, or both, or no statement: {wrong}")
    lines = [HEAD]
    for title, section in SECTIONS.items():
        modules = sorted({module for number in section for _, _, module in found.get(number, [])})
        lines += [f"## {title}\n", ",\n".join(f"`{module}`" for module in modules) + "\n"]
        lines += ["| | statement | level | tested by |", "| --: | --- | --- | --- |"]
        lines += [row(number, found.get(number, [])) for number in section]
        lines.append("")
    return "\n".join(lines)


def row(number: int, found: list[tuple[str, str, str]]) -> str:
    """Write a line of a table."""
    level = "SHOULD" if number in SHOULD else "NICE" if number in NICE else "MUST"
    if number in LEFT_OUT:
        statement, reason = LEFT_OUT[number]
        shown = f"left out: {reason}"
    else:
        statement = " ".join(statement for statement, _, _ in found)
        shown = "<br>".join(f"`{name}`" for _, name, _ in found)
        if number in PARTLY:
            statement += f" *{PARTLY[number]}*"
    return f"| {number} | {statement} | {level} | {shown} |".replace("||", r"\|\|")


def main() -> None:
    """Write the page, or compare it."""
    if sys.argv[1:] != ["--check"]:
        TABLE.write_text(table())
    elif TABLE.read_text() != table():
        raise SystemExit(
            "docs/conformance.md is not what the tests say; run: python docs/make_conformance.py"
        )


if __name__ == "__main__":
    main()
