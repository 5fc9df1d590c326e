"""Route templates, constraints and the order in which functions are tried."""

import pytest

from emulator.host.errors import FunctionInError
from emulator.host.routing import Route, Router, parse_template


def matched(template: str, path: str) -> dict[str, str] | None:
    router = Router([Route("f", parse_template(template))])
    found = router.find("GET", path)
    return None if found is None else found[1]


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("items", "/ITEMS", {}),
        ("items", "/items/", {}),
        ("items", "/item", None),
        ("items/{id}", "/items/a%20b", {"id": "a b"}),
        ("items/{id}", "/items/a%2Fb", {"id": "a%2Fb"}),
        ("items/{id}", "/items", None),
        ("items/{id}", "/items//", None),
        ("items/{id?}", "/items", {}),
        ("items/{id=5}", "/items", {"id": "5"}),
        ("items/{id=5}", "/items/7", {"id": "7"}),
        ("items/{*rest}", "/items/a/b", {"rest": "a/b"}),
        ("items/{**rest}", "/items", {}),
        ("{*rest}", "/", {}),
        ("v{major}.{minor}/x", "/v1.2/x", {"major": "1", "minor": "2"}),
        ("v{major}.{minor}/x", "/v1/x", None),
        ("items/{id}/parts", "/items/1/parts/2", None),
    ],
)
def test_template_matches(template: str, path: str, values: dict[str, str] | None) -> None:
    assert matched(template, path) == values


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        ("int", "-5", "5.0"),
        ("int", "2147483647", "2147483648"),
        ("long", "9223372036854775807", "9223372036854775808"),
        ("bool", "True", "1"),
        ("datetime", "2024-01-31", "2024-13-31"),
        ("datetime", "01%2F31%2F2024", "yesterday"),
        ("decimal", "1.5", "1e5"),
        ("double", "1e5", "x"),
        ("float", "-1.5", "1.5f"),
        ("guid", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e0"),
        ("alpha", "abC", "ab1"),
        ("minlength(2)", "ab", "a"),
        ("maxlength(2)", "ab", "abc"),
        ("length(2)", "ab", "abc"),
        ("length(2,3)", "abc", "abcd"),
        ("min(3)", "3", "2"),
        ("max(3)", "3", "4"),
        ("range(2,4)", "4", "5"),
        ("regex(^[a-z]{{2}}$)", "AB", "abc"),
        ("regex(\\d)", "a1", "a"),
        ("int:min(3)", "4", "2"),
        ("required", "a", ""),
    ],
)
def test_constraint(constraint: str, good: str, bad: str) -> None:
    template = f"x/{{id:{constraint}}}"
    # An encoded slash stays encoded, so dates with slashes cannot be route values.
    if "%2F" not in good:
        assert matched(template, f"/x/{good}") == {"id": good}
    assert matched(template, f"/x/{bad}") is None


def test_optional_value_is_constrained_only_where_it_is_given() -> None:
    assert matched("x/{id:int?}", "/x") == {}
    assert matched("x/{id:int?}", "/x/5") == {"id": "5"}
    assert matched("x/{id:int?}", "/x/a") is None


@pytest.mark.parametrize(
    "template",
    [
        "/items",
        "a//b",
        "a/{id",
        "a/id}",
        "a/{id}/{id}",
        "a/{*rest}/b",
        "a/{id?}/b",
        "a/{id:nonsense}",
        "a/{id:min(x)}",
        "a/{id:regex([)}",
        "a/{}",
        "a/{a}{b}",
        "a/x{*rest}",
    ],
)
def test_malformed_template_is_refused(template: str) -> None:
    with pytest.raises(FunctionInError):
        parse_template(template)


def router_of(*routes: tuple[str, str, str]) -> Router:
    router = Router()
    for function, template, methods in routes:
        router.add(Route(function, parse_template(template), frozenset(methods.split())))
    return router


def test_functions_are_tried_by_name_and_not_by_how_specific_they_are() -> None:
    router = router_of(("b_me", "items/me", ""), ("A_any", "items/{x}", ""))
    assert router.find("GET", "/items/me") == ("A_any", {"x": "me"})


def test_method_is_a_part_of_the_match() -> None:
    router = router_of(("read", "items", "GET"), ("write", "items", "POST"))
    assert router.find("POST", "/items") == ("write", {})
    assert router.find("HEAD", "/items") is None


@pytest.mark.parametrize("methods", ["GET", "GET POST", ""])
def test_same_template_with_overlapping_methods_is_refused(methods: str) -> None:
    router = router_of(("first", "items/{id}", "GET"))
    with pytest.raises(
        FunctionInError, match="conflicts with the route defined by function 'first'"
    ):
        router.add(Route("second", parse_template("Items/{id}/"), frozenset(methods.split())))


@pytest.mark.parametrize("template", ["admin/x", "Runtime"])
def test_built_in_routes_cannot_be_taken(template: str) -> None:
    with pytest.raises(FunctionInError, match="built in routes"):
        Router().add(Route("f", parse_template(template)))
