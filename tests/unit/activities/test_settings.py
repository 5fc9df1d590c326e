"""What the app is told, and what it says when it is told wrong."""

import json
import logging
import re
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError

from activities._clients import make_client
from activities._settings import InvalidSetting, StoreConnection, read_settings

ROOT = Path(__file__).parents[3]
SAMPLE: dict[str, str] = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
ENDPOINT = "COSMOS_DB__accountEndpoint"


def test_the_sample_settings_are_complete() -> None:
    told = read_settings(SAMPLE)
    assert told.store == StoreConnection(None, SAMPLE[ENDPOINT], None)
    assert (told.database, told.processed) == ("orders", "processed")


def test_an_endpoint_means_an_identity_and_a_client_id_says_which() -> None:
    url = "https://orders.documents.azure.com:443/"
    told = read_settings(SAMPLE | {ENDPOINT: url, "COSMOS_DB__clientId": "1111"})
    assert told.store == StoreConnection(None, url, "1111")


def test_a_connection_string_means_a_key_and_goes_before_an_endpoint() -> None:
    text = "AccountEndpoint=http://localhost:1/;AccountKey=a2V5;"
    told = read_settings(SAMPLE | {"COSMOS_DB": text})
    assert told.store == StoreConnection(text, None, None)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({ENDPOINT: ""}, "COSMOS_DB__accountEndpoint is missing, and so is COSMOS_DB"),
        ({"COSMOS_DB": "AccountEndpoint=http://x/"}, "COSMOS_DB is .* without AccountKey"),
        ({"COSMOS_DB": "secret"}, "COSMOS_DB is a connection string without AccountEndpoint"),
        ({ENDPOINT: "orders"}, "COSMOS_DB__accountEndpoint is not a URL"),
        ({"COSMOS_DB_DATABASE_NAME": " "}, "COSMOS_DB_DATABASE_NAME is missing"),
        (
            {"COSMOS_DB_PROCESSED_CONTAINER_NAME": ""},
            "COSMOS_DB_PROCESSED_CONTAINER_NAME is missing",
        ),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_told(
    changes: dict[str, str], text: str
) -> None:
    with pytest.raises(InvalidSetting, match=text) as caught:
        read_settings(SAMPLE | changes)
    assert "secret" not in str(caught.value)
    assert caught.value.code == "SETTING_INVALID"


def test_every_container_setting_of_the_sample_is_read_or_bound() -> None:
    """What the sample names is what the code or the bindings name, and the other way round."""
    source = (ROOT / "function_app.py").read_text() + (
        ROOT / "activities" / "_settings.py"
    ).read_text()
    named = set(re.findall(r"\b(?:COSMOS_DB\w*|SB_\w+|SERVICEBUS_QUEUE|EVENT_GRID)\b", source))
    sampled = {name for name in SAMPLE if re.match(r"COSMOS_DB|SB_|SERVICEBUS|EVENT_GRID", name)}
    plain = {name for name in named if "__" not in name}
    assert plain == {name.partition("__")[0] for name in sampled}


async def test_both_forms_make_a_client_without_asking_anything() -> None:
    for connection in (
        StoreConnection("AccountEndpoint=http://localhost:1/;AccountKey=a2V5;", None, None),
        StoreConnection(None, "https://localhost:1/", "1111"),
    ):
        client = make_client(connection)
        await client.close()


async def test_a_client_logs_no_requests(caplog: pytest.LogCaptureFixture) -> None:
    client = make_client(
        StoreConnection("AccountEndpoint=http://127.0.0.1:9/;AccountKey=a2V5;", None, None)
    )
    container = client.get_database_client("orders").get_container_client("processed")
    with caplog.at_level(logging.INFO), pytest.raises(AzureError):
        await container.read_item("ORD-1", "ORD-1")
    await client.close()
    assert not [record for record in caplog.records if record.levelno < logging.WARNING]
