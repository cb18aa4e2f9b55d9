"""P1 to P3: pages that were asked for before."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks import peers, servers
from benchmarks.load import Rates, interleaved
from benchmarks.servers import Server
from benchmarks.trees import NAME, USER, add_user, fill, make_devpi_index, upload_to_devpi
from pypid.testing.web import basic

__all__ = ["FILES", "MEDIA", "hot_pages"]

FILES = 30
MEDIA = {"JSON": "application/vnd.pypi.simple.v1+json", "HTML": "text/html; charset=utf-8"}
PATH = f"/simple/{NAME}/"


def hot_pages(directory: Path, cache: Path, rounds: int, seconds: int) -> Iterator[list[str]]:
    """Measure them all; give the rows of the table."""
    root = directory / "hot"
    fill(root / "simple" / NAME, NAME, FILES)
    add_user(root)
    with ExitStack() as stack:
        pypid = stack.enter_context(servers.pypid(root))
        pypiserver = stack.enter_context(peers.pypiserver(cache, root / "simple" / NAME))
        devpi = stack.enter_context(peers.devpi(cache, directory / "devpi"))
        make_devpi_index(devpi)
        upload_to_devpi(devpi, sorted((root / "simple" / NAME).iterdir()))
        for media, media_type in MEDIA.items():
            headers = {"Accept": media_type.partition(";")[0]}
            body = servers.fetch(pypid.port, PATH, headers)[2]
            nginx = stack.enter_context(_nginx(directory / f"nginx-{media}", body, media_type))
            for encoding in ("plain", "gzip"):
                page = directory / f"page.{media}.{encoding}"
                page.write_bytes(body if encoding == "plain" else gzip.compress(body, 6, mtime=0))
                sent = headers | ({"Accept-Encoding": "gzip"} if encoding == "gzip" else {})
                bare = servers.bare(page, media_type, encoding="" if encoding == "plain" else "gzip")
                logging = servers.bare(page, media_type, log=directory / "bare.log")
                with bare, logging:
                    contestants = {
                        "nginx": (nginx, PATH, sent),
                        "bare Resource": (bare, "/", sent),
                        "bare Resource with its access log": (logging, "/", sent),
                        "pypid": (pypid, PATH, sent),
                        "pypiserver": (pypiserver, PATH, sent),
                        "devpi": (devpi, devpi.path(NAME), sent),
                    }
                    found = interleaved(contestants, rounds, seconds)
                    yield from _rows(f"P1 {media}, {encoding}", found)
                    if (media, encoding) == ("JSON", "plain"):
                        again = _again(pypid, nginx, bare, sent)
                        yield from _rows("P2, P3", interleaved(again, rounds, seconds))


def _nginx(root: Path, body: bytes, media_type: str) -> Server:
    """Serve pypid's page as static files, compressed beforehand."""
    page = root / "simple" / NAME / "index"
    page.parent.mkdir(parents=True)
    page.write_bytes(body)
    page.with_name("index.gz").write_bytes(gzip.compress(body, 6, mtime=0))
    return servers.nginx(root, media_type, PATH)


def _again(
    pypid: Server, nginx: Server, bare: Server, headers: Mapping[str, str]
) -> Mapping[str, tuple[Server, str, Mapping[str, str]]]:
    """The same page for somebody who signs in, and for those who have it."""

    def having(server: Server, path: str) -> tuple[Server, str, Mapping[str, str]]:
        etag = servers.fetch(server.port, path, headers)[1]["etag"]
        sent = {**headers, "If-None-Match": etag}
        assert servers.fetch(server.port, path, sent)[0] == 304, server.name
        return server, path, sent

    return {
        "nginx, 304": having(nginx, PATH),
        "bare Resource, 304": having(bare, "/"),
        "pypid": (pypid, PATH, headers),
        "pypid, 304": having(pypid, PATH),
        "pypid, signed in": (pypid, PATH, {**headers, **basic(*USER)}),
    }


def _rows(what: str, found: Mapping[str, Rates]) -> Iterator[list[str]]:
    """Set rates beside those of nginx, of the bare Resource, and of pypid's own page."""
    of = [next((rates for name, rates in found.items() if name.startswith(one)), None) for one in _YARDSTICKS]
    for name, rates in found.items():
        ratios = [f"{rates.per_second / one.per_second:.3g}" if one is not None else "" for one in of]
        yield [
            what,
            name,
            f"{rates.per_second:,.0f}",
            f"± {rates.spread / 2:.0%}",
            f"{rates.processor:.0f}",
            *ratios,
        ]


_YARDSTICKS = ("nginx", "bare Resource", "pypid")
