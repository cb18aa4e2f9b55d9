"""Pages are served while archives are checked that use all the processor time they may."""

from __future__ import annotations

import tarfile
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.daemon import Daemon
from harness.forgery import INFO, SDIST, WHEEL, Part, forge, parts, pax, raw_header, sdist, tar_block
from harness.http import ask
from harness.invariants import upload

HOSTILE = {
    "gzip-name": (SDIST, lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 6_000_000 + b"\0" + sdist()[10:]),
    "members": (
        SDIST,
        lambda: sdist(*(PAX + tar_block(f"evil-1.0/{n}") for n in range(8_000))),
    ),
    "records": (
        SDIST,
        lambda: sdist(*(RECORDS + tar_block(f"evil-1.0/{n}") for n in range(4))),
    ),
    "record": (WHEEL, lambda: forge([*parts()[:3], Part(f"{INFO}/RECORD", b"\n" * (4 << 20), method=0)])),
}
PAX = pax("mtime", "1.5")
RECORDS = raw_header(tarfile.XHDTYPE, b"6 a=b\n" * 160_000)
SOON = 3.0
"""Seconds; a machine that does nothing else takes a thirtieth of it."""


@pytest.mark.parametrize("name", HOSTILE)
def test_fault_c3_a_page_waits_for_no_archive(attacked: Daemon, name: str) -> None:
    """Nobody who reads notices, whether the archive is taken or not (as a dry run)."""
    filename, make = HOSTILE[name]
    content = make()
    waits = []
    with ThreadPoolExecutor(3) as pool:
        sent = [
            pool.submit(upload, attacked, filename, content, "evil", "1.0", path="legacy/?dry-run=1")
            for _ in range(3)
        ]
        while not all(one.done() for one in sent):
            begun = time.monotonic()
            assert ask(f"{attacked.simple}acme-lib/").status == 200
            waits.append(time.monotonic() - begun)
    assert {one.result().status for one in sent} <= {200, 400}
    p99 = sorted(waits)[int(len(waits) * 0.99)]
    print(f"{name}: {len(waits)} pages, p99 {p99 * 1000:.0f} ms")
    assert p99 < SOON
