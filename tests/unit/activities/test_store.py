"""The store's errors come out with codes, and without what the store said."""

import pytest
from azure.core.exceptions import ServiceRequestError

from activities import _store
from domain.errors import RETRYABLE, StepError
from tests.support.fakes import FakeContainer, fake_store, store_error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServiceRequestError("refused"), "STORE_UNAVAILABLE"),
        (store_error(408), "STORE_UNAVAILABLE"),
        (store_error(410), "STORE_UNAVAILABLE"),
        (store_error(500), "STORE_UNAVAILABLE"),
        (store_error(503), "STORE_UNAVAILABLE"),
        (store_error(429), "STORE_BUSY"),
        (store_error(449), "STORE_BUSY"),
        (store_error(401), "STORE_REFUSED"),
        (store_error(403), "STORE_REFUSED"),
        (store_error(400), "STORE_REFUSED"),
        (store_error(413), "ITEM_TOO_LARGE"),
        (store_error(404), "STORE_MISSING"),
        (store_error(418), "UNEXPECTED"),
    ],
)
async def test_every_error_has_a_code(error: Exception, code: str) -> None:
    container = FakeContainer()
    container.failures.append(error)
    with fake_store(processed=container), pytest.raises(StepError) as caught:
        await _store.upsert("processed", {"id": "A"})
    assert caught.value.code == code
    assert code in RETRYABLE
    assert "secret" not in str(caught.value)


async def test_a_missing_item_is_none_and_a_missing_container_is_an_error() -> None:
    container = FakeContainer()
    with fake_store(processed=container):
        assert await _store.read("processed", "A") is None
        missing = store_error(404)
        missing.sub_status = 1003
        container.failures.append(missing)
        with pytest.raises(StepError, match="STORE_MISSING"):
            await _store.read("processed", "A")


async def test_create_and_replace_say_whether_they_did() -> None:
    container = FakeContainer()
    with fake_store(processed=container):
        assert await _store.create("processed", {"id": "A"})
        assert not await _store.create("processed", {"id": "A"})
        item = await _store.read("processed", "A")
        assert item is not None
        assert await _store.replace("processed", {"id": "A", "n": 2}, item["_etag"])
        assert not await _store.replace("processed", {"id": "A", "n": 3}, item["_etag"])
        assert not await _store.replace("processed", {"id": "B"}, item["_etag"])
    assert container.items["A"]["n"] == 2
