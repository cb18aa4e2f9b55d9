"""The hints about options that do not exist."""

from __future__ import annotations

import pytest

from pypid.daemon.configuration.option_hints import option_hint

KNOWN = ["access", "auth", "listen", "port", "public-url", "reserve", "root", "upstream"]


@pytest.mark.parametrize(
    ("complaint", "hint"),
    [
        ("option --prot not recognized", "; did you mean --root or --port?"),
        ("option --reserved not recognized", "; did you mean --reserve?"),
        ("option --upstreams not recognized", "; did you mean --upstream?"),
        ("option -p not recognized", "; write --port 8080"),
        ("option -P not recognized", "; write --auth htpasswd:FILE"),
        ("option --passwords not recognized", "; write --auth htpasswd:FILE"),
        ("option --bind not recognized", "; write --listen 0.0.0.0:8080"),
        ("option --fallback-url not recognized", "; write --upstream URL"),
        ("option --disable-fallback not recognized", "; write --upstream none"),
        (
            "option --pidfile not recognized",
            "; it is one of twistd, and goes before the word pypid: twistd --pidfile",
        ),
        ("option --xyzzy not recognized", ""),
        ("option --root requires argument", ""),
        ("option --r not a unique prefix", ""),
    ],
)
def test_fault_f5_unknown_options(complaint: str, hint: str) -> None:
    assert option_hint(complaint, KNOWN) == hint
