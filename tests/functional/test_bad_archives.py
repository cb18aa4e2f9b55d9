"""Malicious archives, uploaded to the real daemon: each is refused, without other effects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.daemon import Daemon
from harness.http import ask
from harness.invariants import assert_refused, healthy, upload
from harness.malice import Evil, evil_archives

SLOW = ("B218-tar-bomb-tar", "B219-tar-200k-tar", "B220-tar-pax-tar", "B202-zip-65k-whl")


@pytest.mark.parametrize("evil", evil_archives(), ids=lambda evil: evil.name)
def test_refused(attacked: Daemon, evil: Evil) -> None:
    """The refusal says what is wrong, to clients that show the reason and to those that show the body."""
    content = evil.make()
    for path in ("legacy/", "legacy/?dry-run=1"):
        answer = upload(attacked, evil.filename, content, "evil", "1.0", path=path)
        assert_refused(answer, 400, "content: the ")
        assert evil.said in answer.text
        assert answer.reason == answer.text.rstrip("\n")
    assert ask(f"{attacked.simple}evil/").status == 404


def test_t37_others_are_served_meanwhile(attacked: Daemon) -> None:
    """While every worker is busy with a bomb, the daemon goes on to answer."""
    bombs = [evil for evil in evil_archives() if evil.name in SLOW] * 3
    assert len(bombs) == 12
    with ThreadPoolExecutor(len(bombs)) as pool:
        answers = [pool.submit(upload, attacked, evil.filename, evil.make(), "evil", "1.0") for evil in bombs]
        while not all(answer.done() for answer in answers):
            healthy(attacked)
    assert [answer.result().status for answer in answers] == [400] * len(bombs)
