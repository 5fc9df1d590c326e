"""How the client reads answers, whoever gave them: the app, the gateway, or nobody."""

import httpx
import pytest

from cli.client import ApiError, OrdersApi, Unreachable, chunks


def api_answering(*answers: httpx.Response) -> tuple[OrdersApi, list[httpx.Request]]:
    """A client whose server gives these answers, and the requests that it was sent."""
    seen: list[httpx.Request] = []
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return left.pop(0)

    api = OrdersApi("http://gateway/", key="k", token="t", transport=httpx.MockTransport(answer))
    return api, seen


@pytest.mark.parametrize(
    ("status", "body", "title", "text"),
    [
        (400, {"title": "Malformed", "detail": "not JSON"}, "Malformed", "not JSON"),
        (401, {"statusCode": 401, "message": "Access denied"}, "Unauthorized", "Access denied"),
        (429, {"error": {"code": "CREDIT", "message": "no credit"}}, "CREDIT", "no credit"),
        (500, None, "Internal Server Error", "Internal Server Error"),
    ],
)
def test_a_refusal_of_any_shape_becomes_one_error(
    status: int, body: object, title: str, text: str
) -> None:
    answer = httpx.Response(status, json=body) if body else httpx.Response(status)
    api, _ = api_answering(answer)
    with pytest.raises(ApiError) as caught:
        api.order("A")
    assert (caught.value.status, caught.value.problem["title"]) == (status, title)
    assert str(caught.value) == text


def test_credentials_go_into_headers_and_never_into_the_url() -> None:
    api, seen = api_answering(httpx.Response(200, json={"id": "A/B"}))
    api.order("A/B")
    assert str(seen[0].url) == "http://gateway/orders/A%2FB"
    assert seen[0].headers["Ocp-Apim-Subscription-Key"] == "k"
    assert seen[0].headers["Authorization"] == "Bearer t"


def test_pages_are_followed_until_the_limit() -> None:
    more = {"Link": '<http://gateway/orders?limit=2&continuation=abc%3D>; rel="next"'}
    api, seen = api_answering(
        httpx.Response(200, json=[{"id": "1"}, {"id": "2"}], headers=more),
        httpx.Response(200, json=[{"id": "3"}, {"id": "4"}]),
    )
    assert [item["id"] for item in api.orders(limit=3)] == ["1", "2", "3"]
    assert seen[1].url.params["continuation"] == "abc="


def test_no_answer_says_where_it_was_looked_for() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    api = OrdersApi("http://gateway", transport=httpx.MockTransport(refuse))
    with pytest.raises(Unreachable, match="http://gateway"):
        api.health()


def test_chunks_keep_the_order_and_lose_nothing() -> None:
    items = [{"id": str(n)} for n in range(7)]
    assert [len(group) for group in chunks(items, 3)] == [3, 3, 1]
    assert [item for group in chunks(items, 3) for item in group] == items
