"""Conformance, section I: accepted upload forms."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b, md5, sha256

import pytest
from attrs import evolve
from harness.conformance import LiveIndex, live_index
from harness.forms import Part, upload_parts

from pypid.testing.builds import sdist, wheel

PATHS = ("/legacy/", "/legacy", "/", "/simple/", "/simple", "/pypi", "/pypi/")
REPEATED = (
    *("classifiers", "platform", "supported_platform", "requires_dist", "provides_dist", "obsoletes_dist"),
    *("requires_external", "project_urls", "provides_extra", "dynamic", "license_file", "requires"),
    *("provides", "obsoletes", "import_name", "import_names", "import_namespace", "import_namespaces"),
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index; every test makes projects of its own."""
    with live_index(tmp_path_factory.mktemp("uploads")) as index:
        yield index


@pytest.mark.parametrize(("version", "status"), [("1", 200), (None, 200), ("", 200), ("2", 400), ("x", 400)])
def test_c118_protocol_version(index: LiveIndex, version: str | None, status: int) -> None:
    """A form with `:action=file_upload` and `protocol_version=1`, or none, stores its file."""
    name = "protocol-" + {None: "absent", "": "empty"}.get(version, f"{version}")
    filename, content = wheel(name, "1.0")
    answer = index.send(upload_parts(filename, content, protocol_version=version))
    assert answer.status == status, answer
    assert index.files(name) == ({filename} if status == 200 else set())


@pytest.mark.parametrize("path", PATHS)
def test_c119_every_address_of_old(index: LiveIndex, path: str) -> None:
    """`/`, `/pypi` and `/simple/` take uploads too."""
    version = f"1.{PATHS.index(path)}"
    filename, content = wheel("addresses", version)
    assert index.send(upload_parts(filename, content), path).status == 200
    assert filename in index.files("addresses")


@pytest.mark.parametrize("place", ["first", "last", "query"])
def test_c120_action_anywhere(index: LiveIndex, place: str) -> None:
    """`:action` may stand first, last, or in the query string."""
    filename, content = wheel(f"action-{place}", "1.0")
    rest = upload_parts(filename, content, **{":action": None})
    action = Part(":action", "file_upload")
    if place == "query":
        assert index.send(rest, "/legacy/?:action=file_upload").status == 200
    else:
        assert index.send([action, *rest] if place == "first" else [*rest, action]).status == 200
    assert index.files(f"action-{place}") == {filename}


def test_c121_name_of_the_part_with_the_file(index: LiveIndex) -> None:
    """The file's name is that of the part `content`; without one there is no file."""
    filename, content = sdist("part-name", "1.0")
    *fields, file = upload_parts(filename, content)
    assert index.send([*fields, evolve(file, filename=None)]).status == 400
    assert index.send(fields).status == 400
    assert index.send([*fields, file]).status == 200
    assert index.files("part-name") == {filename}


@pytest.mark.parametrize("media_type", [None, "application/octet-stream", "application/x-gzip", "text/plain"])
def test_c122_type_of_the_part_does_not_matter(index: LiveIndex, media_type: str | None) -> None:
    """The part `content` may have any media type, or none."""
    name = "type-" + (media_type or "absent").replace("/", "-")
    filename, content = wheel(name, "1.0")
    *fields, file = upload_parts(filename, content)
    assert index.send([*fields, evolve(file, content_type=media_type)]).status == 200
    path = index.path(name, filename)
    assert index.get(path).body == content


@pytest.mark.parametrize("place", [0, 4, 99], ids=["first", "between", "last"])
def test_c123_parts_behind_the_file_count(index: LiveIndex, place: int) -> None:
    """It does not matter which parts come before the file, and which behind it."""
    filename, content = wheel(f"place-{place}", "1.0")
    *fields, file = upload_parts(filename, content)
    fields.insert(place, file)
    assert index.send(fields).status == 200
    *fields, file = upload_parts(*sdist(f"place-{place}", "1.0"), sha256_digest="0" * 64)
    assert index.send([file, *fields]).status == 400


def test_c124_text_is_utf8(index: LiveIndex) -> None:
    """Text is UTF-8 without saying so."""
    filename, content = wheel("script", "1.0")
    words = [Part("summary", "Größe, 大きさ ✓"), Part("author", "Jürgen")]
    assert index.send([*words, *upload_parts(filename, content)]).status == 200
    filename, content = wheel("script", "1.1")
    latin = Part("author", "Jürgen".encode("latin-1"))
    assert "UTF-8" in index.send([latin, *upload_parts(filename, content)]).reason


def test_c125_repeated_fields(index: LiveIndex) -> None:
    """Fields that are lists may come many times, or once."""
    for version, times in (("1.0", 1), ("1.1", 3)):
        filename, content = wheel("lists", version)
        # What is required has to be what the archive requires.
        lists = [name for name in REPEATED if name != "requires_dist"]
        values = [Part(name, f"x{number}") for name in lists for number in range(times)]
        assert index.send([*values, *upload_parts(filename, content)]).status == 200
    assert index.json("lists")["versions"] == ["1.0", "1.1"]


def test_c126_empty_means_absent(index: LiveIndex) -> None:
    """An empty value is none."""
    filename, content = sdist("empty", "1.0", requires_python=">=3.8")
    digests = {"md5_digest": "", "blake2_256_digest": ""}
    fields = {"requires_python": "", "requires_dist": "", "home_page": "", "pyversion": "", **digests}
    assert index.send(upload_parts(filename, content, **fields)).status == 200
    assert index.entry("empty", filename)["requires-python"] == ">=3.8"
    filename, content = wheel("empty", "1.1")
    assert index.send(upload_parts(filename, content, sha256_digest="", **digests)).status == 400


def test_c127_unknown_is_passed_over(index: LiveIndex) -> None:
    """Fields that nobody knows are passed over, and so is the value `UNKNOWN`."""
    filename, content = wheel("unknown", "1.0")
    strange = {"provides_extras": "x", "comment": "built by hand", "future": "1", "of the future:": "2"}
    fields = {"requires_python": "UNKNOWN", "requires_dist": "UNKNOWN", "license": "UNKNOWN"}
    assert index.send(upload_parts(filename, content, **strange, **fields)).status == 200
    assert index.files("unknown") == {filename}


def test_c128_names_in_any_spelling(index: LiveIndex) -> None:
    """A name may come as it is written, made safe, or normalized; it is one project."""
    for version, name in (("1.0", "Lab.Pkg"), ("1.1", "Lab-Pkg"), ("1.2", "lab-pkg"), ("1.3", "lab_pkg")):
        for filename, content in (wheel("lab_pkg", version), sdist("lab_pkg", version)):
            assert index.send(upload_parts(filename, content, name=name)).status == 200
    assert len(index.files("lab-pkg")) == 8
    assert [project["name"] for project in index.json()["projects"]].count("lab-pkg") == 1


def test_c129_digests(index: LiveIndex) -> None:
    """One digest has to be there, in any case of letters, and all that are there are compared."""
    filename, content = wheel("digests", "1.0")
    right = {
        "sha256_digest": sha256(content).hexdigest(),
        "md5_digest": md5(content).hexdigest(),
        "blake2_256_digest": blake2b(content, digest_size=32).hexdigest(),
    }
    without = {"sha256_digest": None}
    assert "sha256_digest" in index.send(upload_parts(filename, content, **without)).reason
    for name, digest in right.items():
        wrong = digest.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
        answer = index.send(upload_parts(filename, content, **(right | {name: wrong})))
        assert (answer.status, name in answer.reason) == (400, True), answer
    assert index.files("digests") == set()
    for name, digest in right.items():
        for value in (digest, digest.upper()):
            assert index.send(upload_parts(filename, content, **(without | {name: value}))).status == 200
    assert index.send(upload_parts(filename, content, **right)).status == 200


def test_c130_filetype_and_pyversion(index: LiveIndex) -> None:
    """`filetype` is that of the file; `pyversion` may be missing for an sdist, and not for a wheel."""
    built = {"bdist_wheel": wheel("kinds", "1.0"), "sdist": sdist("kinds", "1.0")}
    for filetype, (filename, content) in built.items():
        for said in ({*built, "bdist_egg", "x", None}) - {filetype}:
            assert index.send(upload_parts(filename, content, filetype=said)).status == 400
    statuses = {
        kind: index.send(upload_parts(*build, pyversion=None)).status for kind, build in built.items()
    }
    assert statuses == {"bdist_wheel": 400, "sdist": 200}
