"""``pypid token`` makes, lists and revokes tokens."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pypid.cli.main import main
from pypid.formats.api_tokens import Token, load, token_id
from pypid.model import Action


def invoke(root: Path, *arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["--root", str(root), "token", *arguments])


def kept(root: Path) -> list[Token]:
    """Read the tokens as a daemon does."""
    return list(load((root / "tokens").read_bytes()))


def test_create(tmp_path: Path) -> None:
    """The token alone is on standard output, for scripts."""
    options = [
        "--user",
        "ci",
        "--project",
        "Acme_*",
        "--scope",
        "upload",
        "--scope",
        "yank",
        "--expires",
        "90d",
    ]
    before = datetime.now(UTC).replace(microsecond=0)
    result = invoke(tmp_path, "create", *options)
    assert result.exit_code == 0
    text = result.stdout.removesuffix("\n")
    (token,) = kept(tmp_path)
    assert token.matches(text, before)
    assert token.limits.actions == {Action.UPLOAD, Action.YANK}
    assert token.limits.projects == ("acme-*",)
    assert token.expires is not None
    assert timedelta() <= token.expires - before - timedelta(days=90) < timedelta(minutes=1)
    assert result.stderr.startswith(f"token {token.id} of ci: upload, yank of acme-*, until ")
    assert text not in result.stderr
    assert (tmp_path / "tokens").stat().st_mode & 0o777 == 0o600
    assert text[15:] not in (tmp_path / "tokens").read_text()


def test_create_without_options_reads_and_uploads_everywhere_for_ever(tmp_path: Path) -> None:
    assert invoke(tmp_path, "create", "--user", "ci").exit_code == 0
    (token,) = kept(tmp_path)
    assert (token.limits.actions, token.limits.projects) == ({Action.READ, Action.UPLOAD}, ())
    assert token.expires is None


def test_list_never_shows_a_secret(tmp_path: Path) -> None:
    assert invoke(tmp_path, "list").output == ""
    texts = [invoke(tmp_path, "create", "--user", user).stdout.strip() for user in ("ci", "bob")]
    (tmp_path / "tokens.used").write_text(f'{{"{token_id(texts[1])}": "2026-11-20"}}')
    result = invoke(tmp_path, "list")
    assert result.output.splitlines() == [
        f"{token_id(texts[0])} of ci: read, upload, without an end, last used never",
        f"{token_id(texts[1])} of bob: read, upload, without an end, last used 2026-11-20",
    ]
    assert not any(text[15:] in result.output for text in texts)


def test_revoke(tmp_path: Path) -> None:
    """By the name of a token, or by the token."""
    texts = [invoke(tmp_path, "create", "--user", "ci").stdout.strip() for _ in range(3)]
    names = [token_id(text) for text in texts]
    result = invoke(tmp_path, "revoke", texts[0], str(names[1]))
    assert (result.exit_code, result.output) == (0, f"revoked {', '.join(sorted(map(str, names[:2])))}\n")
    assert [token.id for token in kept(tmp_path)] == [names[2]]


def test_revoking_what_is_not_there_revokes_nothing(tmp_path: Path) -> None:
    text = invoke(tmp_path, "create", "--user", "ci").stdout.strip()
    wrong = text[:-1]
    result = invoke(tmp_path, "revoke", str(token_id(text)), wrong)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "pypid: 1 of them are not there: nothing was done; see: pypid token list\n"
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--expires", "soon"),
        ("--expires", "0d"),
        ("--expires", "-1d"),
        ("--scope", "fly"),
        ("--project", "a b"),
        ("--user", "a b"),
        ("--user", "__token__"),
    ],
)
def test_wrong_usage(tmp_path: Path, option: str, value: str) -> None:
    result = invoke(tmp_path, "create", "--user", "ci", option, value)
    assert result.exit_code == 2
    assert re.search(r"Error: .+", result.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("{")
    for arguments in (["create", "--user", "ci"], ["list"], ["revoke", "x"]):
        result = invoke(tmp_path, *arguments)
        advice = "restore it from a backup, or remove it to revoke all tokens"
        said = f"pypid: the tokens file is damaged: {tmp_path / 'tokens'}; {advice}\n"
        assert (result.exit_code, result.stderr) == (1, said)
    assert (tmp_path / "tokens").read_text() == "{"
