"""The operators' console in a real browser, on the real app: what is seen, and what it does."""

import json
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest

from domain.messages import STORED_MEMBER
from emulator.access import Access, find_access
from emulator.launch import Doors, EmulatorProcess
from tests.support.browser import CHROMIUM, Visit, visiting
from tests.support.emulator import Emulator, until
from tests.support.orders import an_order
from tests.support.pipeline import final_status, store, submit

pytest.importorskip("playwright", reason="Playwright's package is not installed.")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="No chromium on this machine (Debian: apt-get install chromium)."
)
MARKUP = "<img src=x onerror=alert(1)>"
BREAKOUT = "</pre><script>alert(document.domain)</script><svg onload=alert(2)>"


@pytest.fixture
async def visit(emulator: Emulator) -> AsyncIterator[Visit]:
    async with visiting(emulator.doors.host) as found:
        yield found


async def process_order(emulator: Emulator, order_id: str, **changes: Any) -> dict[str, Any]:
    assert (await submit(emulator, an_order(id=order_id, **changes))).status == 202
    return await final_status(emulator, order_id)


async def break_step(emulator: Emulator, order_id: str, step: str, message: str) -> None:
    rule = {
        **{"point": "activity.before", "action": "fail", "message": message, "times": 1},
        "match": {"function": f"{step}_order", "instance": f"{order_id}*"},
    }
    assert (await emulator.post("/emulator/faults", json=rule)).status in (200, 201)


async def fail_order(emulator: Emulator, order_id: str, step: str = "persist") -> None:
    await break_step(emulator, order_id, step, "[STORE_REFUSED] injected")
    assert (await process_order(emulator, order_id))["state"] == "failed"


async def test_the_latest_orders_are_listed_with_their_states(
    emulator: Emulator, visit: Visit
) -> None:
    await process_order(emulator, "LIST-1")
    assert (await process_order(emulator, "LIST-2", currency="XXY"))["state"] == "rejected"
    await fail_order(emulator, "LIST-3")
    await visit.open()
    rows = visit.page.locator("#list-orders tbody tr")
    for order_id, state in (("LIST-1", "processed"), ("LIST-2", "rejected"), ("LIST-3", "failed")):
        row = rows.filter(has_text=order_id)
        assert await row.locator(".badge").inner_text() == state
    for state in ("processed", "rejected", "failed"):
        assert int(await visit.page.locator(f"#counts .{state} strong").inner_text()) >= 1
    await visit.picture("e2e-orders")


async def test_orders_are_found_by_id_customer_and_state(emulator: Emulator, visit: Visit) -> None:
    await process_order(emulator, "FIND-1", customerId="C-FIND")
    await process_order(emulator, "FIND-2", customerId="C-OTHER")
    await visit.open()
    page, rows = visit.page, visit.page.locator("#list-orders tbody tr")
    for text, expected in (("find-2", "FIND-2"), ("C-FIND", "FIND-1"), ("FIND-1", "FIND-1")):
        await page.get_by_label("Order id or customer").fill(text)
        await page.get_by_role("button", name="Search").click()
        await page.locator("#found").filter(has_text="1 shown").wait_for()
        assert await rows.locator("a").all_inner_texts() == [expected]
    await page.get_by_role("button", name="Clear").click()
    await page.get_by_label("State", exact=True).select_option("processed")
    await page.locator("#found").filter(has_text="shown").wait_for()
    await rows.filter(has_text="FIND-1").wait_for()
    assert set(await rows.locator(".badge").all_inner_texts()) == {"processed"}


async def test_a_whole_id_is_found_beyond_what_is_loaded(emulator: Emulator, visit: Visit) -> None:
    await process_order(emulator, "OLD-1", customerId="C-OLD")
    orders = [an_order(id=f"NEW-{n}") for n in range(55)]
    await submit(emulator, {"batchId": "newer", "orders": orders})
    await until(lambda: batch_done(emulator, "newer"), "the batch is done")
    await visit.open()
    rows = visit.page.locator("#list-orders tbody tr")
    await rows.filter(has_text="NEW-54").wait_for()
    assert await rows.filter(has_text="OLD-1").count() == 0
    for text in ("OLD-1", "C-OLD"):
        await visit.page.get_by_label("Order id or customer").fill(text)
        await visit.page.keyboard.press("Enter")
        await rows.filter(has_text="OLD-1").wait_for()
    await visit.page.get_by_role("button", name="Clear").click()
    await visit.page.get_by_role("button", name="Show earlier orders").click()
    await rows.filter(has_text="OLD-1").wait_for()


async def batch_done(emulator: Emulator, batch_id: str) -> bool:
    return (await emulator.get(f"/api/batches/{batch_id}/status")).status == 200


async def test_batches_show_their_progress(emulator: Emulator, visit: Visit) -> None:
    orders = [an_order(id=f"BAT-{n}") for n in range(5)] + [an_order(id="BAT-9", currency="XXY")]
    await submit(emulator, {"batchId": "shown", "orders": orders})
    await visit.open("batches")
    row = visit.page.locator("#list-batches tbody tr").filter(has_text="shown")
    await row.filter(has_text="completed").wait_for()
    text = await row.inner_text()
    assert "6 of 6" in text
    assert "5 processed, 1 rejected" in text
    assert await row.get_by_role("progressbar", name="Progress of shown").count() == 1


async def test_markup_in_an_order_is_text(emulator: Emulator, visit: Visit) -> None:
    await process_order(emulator, "MARKUP-1", customerId=MARKUP, note=BREAKOUT)
    await process_order(emulator, "MARKUP-2", customerId=MARKUP, currency=MARKUP)
    await visit.open()
    page = visit.page
    row = page.locator("#list-orders tbody tr").filter(has_text="MARKUP-1")
    assert MARKUP in await row.inner_text()
    await row.get_by_role("link").click()
    payload = page.locator("pre").first
    await payload.wait_for()
    assert json.loads(await payload.inner_text())["note"] == BREAKOUT
    assert MARKUP in await page.locator("#view-order dd").all_inner_texts()
    await visit.picture("e2e-markup")
    await visit.open("order/MARKUP-2")
    await page.get_by_text("Why it was rejected").wait_for()
    assert await page.locator("img, iframe, [onload], [onerror]").count() == 0
    # The one script is the page's own; that no other ran is checked when the visit ends.
    assert await page.locator("script").count() == 1
    await visit.open(f"order/{MARKUP}")
    assert await page.get_by_role("heading", name=f"Order {MARKUP}").is_visible()


async def test_a_dead_letter_s_body_is_text(emulator: Emulator, visit: Visit) -> None:
    await emulator.send("orders", BREAKOUT)
    await dead_letters(emulator, 1)
    await visit.open("dead-letters")
    row = visit.page.locator("#dead tbody tr").filter(has_text="not_json")
    assert BREAKOUT in await row.inner_text()
    assert await visit.page.locator("script").count() == 1
    await visit.picture("e2e-dead-letters")


async def dead_letters(emulator: Emulator, count: int) -> None:
    async def there() -> bool:
        return (await emulator.counts("orders"))["dead_letter"] >= count

    await until(there, f"{count} dead letters")


async def test_a_timeline_shows_attempts_and_waits_apart(emulator: Emulator, visit: Visit) -> None:
    await break_step(emulator, "RETRY-1", "enrich", "no answer")
    assert (await process_order(emulator, "RETRY-1"))["state"] == "processed"
    await visit.open("order/RETRY-1")
    page = visit.page
    drawing = page.locator("svg[role=img]")
    await drawing.wait_for()
    assert await drawing.locator("[data-bar=attempt]").count() == 5
    assert await drawing.locator("[data-bar=attempt][data-state=failed]").count() == 1
    assert await drawing.locator("[data-bar=wait]").count() == 1
    told = await drawing.get_attribute("aria-label") or ""
    assert "enrich: attempt 1 failed" in told
    assert "wait before attempt 2" in told
    rows = page.get_by_role("table", name="Attempts and waits").locator("tbody tr")
    outcomes = await rows.filter(has_text="enrich").locator(".badge").all_inner_texts()
    assert outcomes == ["failed", "waited", "completed"]
    await visit.picture("e2e-timeline")


async def test_a_failed_order_is_replayed_after_its_plan_was_seen(
    emulator: Emulator, visit: Visit
) -> None:
    await fail_order(emulator, "REPLAY-1")
    await visit.open("order/REPLAY-1")
    page = visit.page
    await page.get_by_text("persist · STORE_REFUSED · injected").wait_for()
    assert json.loads(await page.locator("pre").first.inner_text())["id"] == "REPLAY-1"
    await page.get_by_role("button", name="Replay").click()
    dialog = page.get_by_role("dialog", name="Replay REPLAY-1")
    assert await dialog.locator("#replay-go").is_hidden()
    await dialog.get_by_label("Reason").fill("the store is back")
    await dialog.get_by_role("button", name="Show what would run").click()
    plan = dialog.get_by_role("table", name="What a replay would do").locator("tbody tr")
    assert "validate, enrich" in await plan.inner_text()
    assert "persist, notify" in await plan.inner_text()
    status = (await emulator.get("/api/orders/REPLAY-1/status")).json()
    assert (status["state"], status["attempt"]) == ("failed", 1)
    await visit.picture("e2e-replay-plan")
    await dialog.get_by_role("button", name="Replay 1 order").click()
    await page.get_by_text("Attempt 2 at REPLAY-1 has started.").wait_for()
    await page.locator("#view-order .head .badge.processed").wait_for()
    item = (await emulator.get("/api/orders/REPLAY-1")).json()
    assert (
        item["replay"].items() >= {"reason": "the store is back", "requestedBy": "console"}.items()
    )


async def test_all_failed_orders_are_replayed_at_once(emulator: Emulator, visit: Visit) -> None:
    for n in range(3):
        await fail_order(emulator, f"MANY-{n}")
    await visit.open("failed")
    page = visit.page
    for n in range(2):
        await page.get_by_label(f"Select MANY-{n}").check()
    await page.get_by_role("button", name="Replay selected (2)").click()
    await replay_shown(visit, 2)
    await page.get_by_label("Select MANY-1").wait_for(state="detached")
    await page.get_by_role("button", name="Replay all").click()
    await replay_shown(visit, None)
    await page.get_by_text("No order has failed.").wait_for()
    for n in range(3):
        assert (await final_status(emulator, f"MANY-{n}"))["state"] == "processed"


async def replay_shown(visit: Visit, count: int | None) -> None:
    """The dialog is gone through; a `count` of None takes as many as there are."""
    await visit.page.get_by_label("Reason").fill("repaired")
    await visit.page.get_by_role("button", name="Show what would run").click()
    go = visit.page.locator("#replay-go")
    await go.wait_for()
    assert count is None or await go.inner_text() == f"Replay {count} orders"
    await go.click()
    await visit.page.locator("#replay").wait_for(state="hidden")


async def test_a_dead_letter_is_resubmitted_and_processed(emulator: Emulator, visit: Visit) -> None:
    await emulator.send("orders", json.dumps({STORED_MEMBER: "STORED-1"}))
    await visit.open("dead-letters")
    row = visit.page.locator("#dead tbody tr").filter(has_text="STORED-1")

    async def listed() -> bool:
        await visit.page.get_by_role("button", name="Refresh").click()
        return await row.count() == 1

    await until(listed, "the dead letter is listed")
    async with store(emulator, "toprocess") as container:
        await container.upsert_item(an_order(id="STORED-1"))
    await row.get_by_role("button").click()
    dialog = visit.page.get_by_role("dialog", name="Resubmit")
    await dialog.get_by_role("button", name="Resubmit").click()
    await visit.page.get_by_text("1 dead letter was sent back to the queue.").wait_for()
    assert await row.count() == 0
    assert (await final_status(emulator, "STORED-1"))["state"] == "processed"
    await until(lambda: nothing_waits(emulator), "the message is gone")
    answer = await emulator.get("/api/orders/dead-letters")
    assert "STORED-1" not in answer.text


async def nothing_waits(emulator: Emulator) -> bool:
    counts = await emulator.counts("orders")
    return counts["active"] == counts["locked"] == 0


async def test_an_order_is_replayed_by_keyboard_alone(emulator: Emulator, visit: Visit) -> None:
    await fail_order(emulator, "KEYS-1")
    await visit.open("failed")
    page, focus = visit.page, visit.page.locator(":focus")
    button = page.get_by_role("button", name="Replay KEYS-1")
    await button.wait_for()
    seen: list[str] = []
    while seen[-1:] != ["Replay KEYS-1"]:
        await page.keyboard.press("Tab")
        name = await focus.get_attribute("aria-label") or await focus.inner_text()
        seen.append(name.strip())
        assert len(seen) < 60, seen
    # The order of the page: past the start, the counts, the views, then what is in the view.
    assert seen[0] == "Skip to content"
    assert seen.index("Orders") < seen.index("Dead letters") < seen.index("KEYS-1")
    await page.keyboard.press("Enter")
    assert await focus.get_attribute("id") == "reason"
    await page.keyboard.press("Escape")
    assert await focus.get_attribute("aria-label") == "Replay KEYS-1"
    await page.keyboard.press("Enter")
    await page.keyboard.type("by keyboard")
    await page.keyboard.press("Tab")
    assert await focus.inner_text() == "Cancel"
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await page.locator("#replay-go:focus").wait_for()
    await page.keyboard.press("Enter")
    await page.get_by_text("Attempt 2 at KEYS-1 has started.").wait_for()
    assert (await final_status(emulator, "KEYS-1"))["attempt"] == 2


async def test_what_has_landmarks_and_names_can_be_read_out(visit: Visit) -> None:
    await visit.open()
    page = visit.page
    for role in ("banner", "main", "navigation", "search"):
        assert await page.get_by_role(role).count() == 1, role  # type: ignore[arg-type]
    assert await page.get_by_role("navigation", name="Views").count() == 1
    assert await page.locator("[role=status][aria-live=polite]").count() == 1
    current = page.locator("nav a[aria-current=page]")
    assert await current.inner_text() == "Orders"
    await page.get_by_role("link", name="Batches").click()
    assert await current.inner_text() == "Batches"
    assert await page.title() == "Batches | Orders console"
    assert await page.locator(":focus").get_attribute("id") == "main"


async def test_what_has_not_changed_is_not_sent_again(emulator: Emulator, visit: Visit) -> None:
    await visit.open()

    def unchanged(response: Any) -> bool:
        return response.url.endswith("/console-data") and response.status == 304

    async with visit.page.expect_response(unchanged):
        pass


async def test_a_form_of_another_site_changes_nothing(emulator: Emulator, visit: Visit) -> None:
    await fail_order(emulator, "FORGED-1")
    target = f"{emulator.doors.host}/api/orders/FORGED-1/replay"
    form = f"""<form method=post enctype=text/plain action="{target}">
        <input name='{{"reason": "forged", "x' value='": 1}}'><button>Go</button></form>"""
    await visit.page.set_content(form)
    async with visit.page.expect_response(target) as waited:
        await visit.page.get_by_role("button").click()
    assert (await waited.value).status == 403
    status = (await emulator.get("/api/orders/FORGED-1/status")).json()
    assert (status["state"], status["attempt"]) == ("failed", 1)


async def test_at_the_gateway_an_operator_signs_in_and_replays(
    process: tuple[EmulatorProcess, Doors], emulator: Emulator
) -> None:
    access = find_access(process[0].data_dir)
    await fail_order(emulator, "GATE-1")
    async with visiting(access.url, "/console") as visit:
        page, key = visit.page, visit.page.get_by_label("Subscription key")
        await page.goto(f"{access.url}/console#order/GATE-1")
        await visit.page.locator("#access-key:focus").wait_for()
        assert await page.locator("#trouble").inner_text() == ""
        assert await page.get_by_role("navigation", name="Views").count() == 0
        await visit.picture("e2e-sign-in")
        await sign_in(visit, "0" * 32, access.token)
        await page.get_by_role("alert").filter(has_text="invalid subscription key").wait_for()
        await sign_in(visit, access.key, "abc")
        await page.get_by_role("alert").filter(has_text="Access token").wait_for()
        assert await key.input_value() == ""
        await grant_credit(emulator, access)
        await sign_in(visit, access.key, f"Bearer {access.token} ")
        await visit.shown()
        await page.get_by_role("heading", name="Order GATE-1").wait_for()
        await page.get_by_role("button", name="Replay").click()
        await replay_shown(visit, None)
        await page.get_by_text("Attempt 2 at GATE-1 has started.").wait_for()
        assert (await final_status(emulator, "GATE-1"))["state"] == "processed"
        item = (await emulator.get("/api/orders/GATE-1")).json()
        claims = jwt.decode(access.token, options={"verify_signature": False})
        assert item["replay"]["requestedBy"] == claims["sub"]
        await page.reload()
        await visit.shown()
        await page.get_by_role("button", name="Sign out").click()
        await page.locator("#access-key:focus").wait_for()
        assert "GATE-1" not in await page.locator("main").inner_text()
        await page.reload()
        await page.locator("#access-key:focus").wait_for()
        told = " ".join(visit.requests)
        assert access.key not in told
        assert access.token not in told


async def sign_in(visit: Visit, key: str, token: str) -> None:
    await visit.page.get_by_label("Subscription key").fill(key)
    await visit.page.get_by_label("Access token").fill(token)
    await visit.page.get_by_role("button", name="Sign in").click()


async def grant_credit(emulator: Emulator, access: Access) -> None:
    url = f"{access.url}/emulator/apim/named-values/credit"
    async with emulator.http.put(url, json={"value": "1000000"}) as answer:
        assert answer.status == 200


async def test_the_gateway_gives_the_page_to_anybody_and_what_it_shows_to_operators(
    process: tuple[EmulatorProcess, Doors], emulator: Emulator
) -> None:
    operator = find_access(process[0].data_dir)
    other = find_access(process[0].data_dir, client="orders-client")
    await grant_credit(emulator, operator)
    direct = await emulator.get("/api/console")
    async with emulator.http.get(f"{operator.url}/console?order=x") as page:
        assert await page.text() == direct.text
        policy = page.headers["Content-Security-Policy"]
        assert policy == direct.headers["Content-Security-Policy"]
    for headers, expected in ((other.headers, 403), (operator.headers, 200), ({}, 401)):
        url = f"{operator.url}/console-data"
        async with emulator.http.get(url, headers=headers) as answer:
            assert answer.status == expected


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "width"), [("wide", 1280), ("narrow", 390)])
async def test_every_view_fits_its_window(
    emulator: Emulator, scheme: str, name: str, width: int
) -> None:
    await process_order(emulator, f"FITS-{scheme}-{name}")
    size = {"width": width, "height": 860}
    async with visiting(emulator.doors.host, color_scheme=scheme, viewport=size) as visit:
        views = ("orders", "failed", "batches", "dead-letters", f"order/FITS-{scheme}-{name}")
        for view in views:
            await visit.open(view)
            shown = visit.page.locator("main > section:not([hidden])")
            assert await shown.count() == 1
            box = await shown.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            await visit.picture(f"e2e-{view.split('/')[0]}-{scheme}-{name}")
