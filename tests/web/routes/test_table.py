"""The table of routes: a row that cannot be answered fails here, and not at a client."""

from __future__ import annotations

import pytest

from pypid.web.routes.needs import Needs
from pypid.web.routes.table import REDIRECTS, ROUTES, UPLOAD_PATHS, XML_RPC_PATHS, Route

OF_A_PROJECT = {Needs.PROJECT, Needs.YANK, Needs.DELETE, Needs.ADMINISTER}
BY_DEFAULT = Route("GET", "/", Needs.NOTHING, ROUTES[0].function)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_path_has_the_project_that_its_permission_is_about(route: Route) -> None:
    has_name = "<name:name>" in route.path
    if route.needs in OF_A_PROJECT:
        assert has_name == (route.project is BY_DEFAULT.project)
    else:
        assert "<" not in route.path
    if route.one_spelling:
        assert has_name


def test_every_request_of_a_place_is_for_one_of_its_rows() -> None:
    """All rows of a method and path have conditions but the last."""
    places: dict[tuple[str, str], list[Route]] = {}
    for route in ROUTES:
        places.setdefault((route.method, route.path), []).append(route)
    for routes in places.values():
        assert [route.when is BY_DEFAULT.when for route in routes] == [False] * (len(routes) - 1) + [True]


def test_no_redirect_hides_a_route() -> None:
    assert not {redirect.path for redirect in REDIRECTS} & {one.path for one in ROUTES if one.method == "GET"}


def test_which_paths_take_uploads_and_calls() -> None:
    """The admission lets bodies in by these."""
    assert {"/", "/legacy/", "/legacy", "/simple/", "/simple", "/pypi", "/pypi/"} == UPLOAD_PATHS
    assert {"/pypi", "/pypi/", "/RPC2"} == XML_RPC_PATHS
