"""What is counted of requests, and that no client can make it more than it is."""

from __future__ import annotations

import random
import string
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred

from pypid.daemon.metrics import Metrics
from pypid.runtime.readiness import Readiness
from pypid.runtime.workers import InlineWorkers
from pypid.testing.builds import wheel
from pypid.testing.web import MemorySite, basic, upload_form

Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(site: MemorySite) -> Samples:
    """Return all metrics, as Prometheus' own parser reads them."""
    tallies = site.site.tallies
    metrics = Metrics(lambda: tallies.all, Readiness({}, site.reactor), InlineWorkers())
    texts: list[bytes] = []
    Deferred.fromCoroutine(metrics.text()).addCallback(texts.append)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(texts[0].decode())
        for sample in family.samples
        if sample.name.startswith("pypid_")
    }


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, tuple(sorted(labels.items()))))


def publish(site: MemorySite, name: str = "acme", **headers: str) -> int:
    filename, content = wheel(name, "1.0")
    form, body = upload_form(filename, content, name, "1.0")
    return site.request("POST", "/legacy/", form | headers, body).status


def test_requests_are_counted_by_route_and_status() -> None:
    site = MemorySite()
    assert publish(site, **basic("ci", "secret")) == 200
    for _ in range(3):
        site.get("/simple/acme/")
    sent = len(site.get("/simple/acme/").body)
    for path in ("/simple/none/", "/simple/other/", "/nowhere/at/all", "/%ff", "/simple/ACME/"):
        site.get(path)
    found = samples(site)
    for route, method, status, number in (
        ("/simple/{name}/", "GET", "200", 4),
        ("/simple/{name}/", "GET", "404", 2),
        ("/simple/{name}/", "GET", "301", 1),
        ("/legacy/", "POST", "200", 1),
        ("none", "GET", "404", 1),
        ("none", "GET", "400", 1),
    ):
        key = {"route": route, "method": method, "status": status}
        assert value(found, "pypid_http_requests_total", **key) == number, key
    assert value(found, "pypid_http_request_duration_seconds_count", route="/simple/{name}/") == 7
    assert (value(found, "pypid_http_sent_bytes_total", route="/simple/{name}/") or 0) >= 4 * sent
    assert (value(found, "pypid_http_received_bytes_total", route="/legacy/") or 0) > 500
    assert value(found, "pypid_http_requests_in_progress") == 0


def test_the_fast_path_is_counted_like_the_routes() -> None:
    site = MemorySite()
    publish(site, **basic("ci", "secret"))
    connection = site.connect()
    bodies = []
    for _ in range(10):
        connection.send(b"GET /simple/acme/ HTTP/1.1\r\nHost: index.example.org\r\n\r\n")
        bodies.append(connection.answers("GET")[0].body)
    assert set(bodies) == {bodies[0]}
    found = samples(site)
    assert value(found, "pypid_http_sent_bytes_total", route="/simple/{name}/") == 10 * len(bodies[0])
    assert value(found, "pypid_http_request_duration_seconds_count", route="/simple/{name}/") == 10


def test_a_client_that_leaves_is_counted() -> None:
    site = MemorySite()
    connection = site.connect()
    connection.send(b"POST /legacy/ HTTP/1.1\r\nHost: index.example.org\r\nContent-Length: 100000\r\n")
    connection.send(f"Authorization: {basic('ci', 'secret')['Authorization']}\r\n".encode())
    connection.send(b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x")
    assert value(samples(site), "pypid_http_requests_in_progress") == 1
    connection.transport.loseConnection()
    found = samples(site)
    assert value(found, "pypid_http_requests_in_progress") == 0
    assert value(found, "pypid_http_requests_aborted_total") == 1


def test_uploads_and_sign_ins_are_counted_by_outcome() -> None:
    site = MemorySite()
    right = basic("ci", "secret")
    assert [publish(site, **right), publish(site, **right)] == [200, 200]
    form, body = upload_form("acme-1.0-py3-none-any.whl", b"no wheel", "acme", "1.0")
    assert site.request("POST", "/legacy/", form | right, body).status == 409
    assert publish(site, **basic("ci", "wrong")) == 401
    assert publish(site, Authorization="Nonsense") == 401
    found = samples(site)
    for outcome, number in {"published": 1, "unchanged": 1, "refused": 1, "failed": 0}.items():
        assert value(found, "pypid_uploads_total", outcome=outcome) == number, outcome
    for outcome, number in {"wrong": 1, "malformed": 1, "throttled": 0}.items():
        assert value(found, "pypid_sign_ins_total", outcome=outcome) == number, outcome


@pytest.mark.slow
def test_100_000_strange_urls_add_no_series() -> None:
    """Whatever clients ask for, by whatever method: after a few of each kind there is nothing new."""
    site = MemorySite()
    chance = random.Random(13)

    def strange(number: int) -> bytes:
        letters = string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@"
        parts = ["".join(chance.choices(letters, k=chance.randint(1, 12))) for _ in range(1 + number % 4)]
        path = chance.choice(
            ["/", "/simple/", "/packages/", "/pypi/", "/project/", "/+", "//", "/%zz", "/%00"]
        )
        method = chance.choice(
            ["GET", "GET", "GET", "HEAD", "POST", "DELETE", "PUT", "BREW", "".join(parts[:1])]
        )
        return (
            f"{method or 'GET'} {path}{'/'.join(parts)}{'/' * (number % 2)}?{number} HTTP/1.1\r\n"
            f"Host: x\r\nUser-Agent: {number}\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    def send(numbers: range) -> None:
        connection = site.connect()
        for number in numbers:
            connection.send(strange(number))
            answer = connection.received()
            connection.transport.clear()
            if b"\r\nConnection: close" in answer or not connection.transport.connected:
                connection.transport.loseConnection()
                connection = site.connect()
            if number % 100 == 0:
                site.reactor.advance(3600)  # all timers of those that ended
                connection = site.connect()
            assert answer.startswith(b"HTTP/1.1 "), strange(number)

    send(range(20_000))
    before = samples(site)
    send(range(20_000, 100_000))
    after = samples(site)
    assert after.keys() == before.keys()
    assert len(after) < 1000
    counted = sum(number for (name, _), number in after.items() if name == "pypid_http_requests_total")
    assert counted > 90_000  # the others were no HTTP


def test_metrics_are_not_for_strangers_and_users() -> None:
    site = MemorySite()
    assert site.get("/+metrics").status == 401
    assert site.request("GET", "/+metrics", basic("ci", "secret")).status == 403
