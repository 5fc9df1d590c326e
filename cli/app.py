"""The commands of `orders`. Each asks the API and prints; nothing is decided here."""

import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from cli import exit_codes
from cli.client import ApiError, OrdersApi, chunks
from cli.context import Session, confirm_bulk, explain, reports_errors, session
from cli.doctor import diagnose
from cli.ingest import upload
from cli.inputs import BadInput, parse_orders, read_text
from cli.output import Output
from cli.waiting import is_final, wait_for

app = typer.Typer(
    name="orders",
    help="Submit, follow and replay orders. Exit codes: 0 all well, 1 something is not, 2 usage, "
    "3 refused, 4 not found, 5 unavailable, 6 timed out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
dead_letters_app = typer.Typer(help="What could not be processed, and sending it back.")
app.add_typer(dead_letters_app, name="dead-letters", invoke_without_command=True)

DEFAULT_URL = "http://localhost:8080"
DEFAULT_INPUT_URL = "http://localhost:10000/devstoreaccount1/inputfiles"
_BATCH_PREFIX = "batch:"
_ENDED = ("processed", "rejected", "failed", "duplicates", "conflicts", "invalid")
_COUNTS = ("total", *_ENDED, "running")


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"orders {version('durable-orders')}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    *,
    url: Annotated[
        str, typer.Option(envvar="ORDERS_URL", help="The gateway's base URL.")
    ] = DEFAULT_URL,
    key: Annotated[
        str | None,
        typer.Option(envvar="ORDERS_KEY", help="Subscription key; better in the environment."),
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="ORDERS_TOKEN", help="Bearer token; better there too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
    show_version: Annotated[  # noqa: ARG001 - its callback answers and ends
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Print it and end."),
    ] = False,
) -> None:
    place = urlsplit(url)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise typer.BadParameter("must be http:// or https:// and a host", param_hint="--url")
    for option, value in (("--key", key), ("--token", token)):
        # A header takes no other text; the value itself is never told.
        if value and not (value.isascii() and value.isprintable()):
            raise typer.BadParameter("must be printable ASCII, on one line", param_hint=option)
    context.obj = Session(OrdersApi(url, key=key, token=token), Output(as_json))


@app.command()
@reports_errors
def submit(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="JSON, array or NDJSON.")],
    batch_size: Annotated[
        int, typer.Option(min=0, max=5000, help="Orders to a batch message; 0 sends one by one.")
    ] = 0,
    wait: Annotated[bool, typer.Option(help="Wait until every order has ended.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 300.0,
) -> None:
    """Submit orders. Prints a line each: id, outcome, where to ask."""
    run = session(context)
    orders = parse_orders(read_text(source), source)
    bodies: list[Any] = (
        [{"orders": list(group)} for group in chunks(orders, batch_size)] if batch_size else orders
    )
    results, refused = [], 0
    with run.output.progress() as progress:
        bar = progress.add_task("Submitting", total=len(bodies))
        for body in bodies:
            result = _submit_one(run.api, body)
            refused += result["outcome"] == "refused"
            results.append(result)
            progress.advance(bar)
    _print_submitted(run.output, results)
    if refused:
        run.output.say(f"{refused} of {len(bodies)} were refused.", "red")
    if wait:
        _wait_submitted(run, results, timeout)
    if refused:
        raise typer.Exit(exit_codes.REFUSED)


def _submit_one(api: OrdersApi, body: Any) -> dict[str, Any]:
    try:
        reply = api.submit(body)
    except ApiError as error:
        if error.status >= 500 or error.status in (401, 403, 429):
            raise
        return {
            "id": str(body.get("id", "")),
            "outcome": "refused",
            "status": error.status,
            "detail": explain(error),
        }
    return {
        "id": reply.body.get("orderId") or f"{_BATCH_PREFIX}{reply.body.get('batchId')}",
        "outcome": "accepted",
        "status": reply.status,
        "location": reply.headers.get("location", ""),
    }


def _print_submitted(output: Output, results: list[dict[str, Any]]) -> None:
    if output.as_json:
        output.json(results)
        return
    output.table(
        ("ID", "OUTCOME", "WHERE"),
        [(r["id"], r["outcome"], r.get("location") or r.get("detail")) for r in results],
    )


def _wait_submitted(run: Session, results: list[dict[str, Any]], timeout: float) -> None:
    ids = [r["id"] for r in results if r["outcome"] == "accepted"]
    statuses = _wait_all(run, ids, timeout)
    bad = [s for s in statuses if s.get("state") not in ("processed", "completed")]
    run.output.say(f"{len(statuses) - len(bad)} of {len(statuses)} processed.")
    if any(not is_final(s) for s in bad):
        raise typer.Exit(exit_codes.TIMED_OUT)
    if bad:
        raise typer.Exit(exit_codes.NOT_ALL_WELL)


@app.command()
@reports_errors
def ingest(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A JSON file of orders.")],
    name: Annotated[
        str | None, typer.Option(help="The blob's name; the file's by default.")
    ] = None,
    container_url: Annotated[
        str, typer.Option(envvar="ORDERS_INPUT_URL", help="The container's URL.")
    ] = DEFAULT_INPUT_URL,
) -> None:
    """Upload a file of orders; it is taken up from there, order by order."""
    run = session(context)
    url = upload(path, name or path.name, container_url)
    if run.output.as_json:
        run.output.json({"url": url})
    else:
        run.output.table(("WHERE",), [(url,)])


@app.command("list")
@reports_errors
def list_orders(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    status: Annotated[str | None, typer.Option(help="Only processed, or only rejected.")] = None,
) -> None:
    """The latest orders, newest first."""
    run = session(context)
    found = list(run.api.orders(limit=limit, status=status))
    if run.output.as_json:
        run.output.json(found)
        return
    run.output.table(
        ("ID", "STATUS", "CUSTOMER", "TOTAL", "PROCESSED AT"),
        [
            (
                item["id"],
                item.get("status"),
                item.get("customerId"),
                _money(item),
                item.get("processedAt"),
            )
            for item in found
        ],
    )


def _money(item: dict[str, Any]) -> str:
    total = (item.get("totals") or {}).get("total")
    return "" if total is None else f"{total} {item.get('currency', '')}"


@app.command()
@reports_errors
def show(context: typer.Context, order_id: str) -> None:
    """One order as it is stored."""
    run = session(context)
    run.output.json(run.api.order(order_id))


@app.command()
@reports_errors
def status(context: typer.Context, identifier: str) -> None:
    """Where an order stands (or a batch: `batch:ID`)."""
    run = session(context)
    found = _status(run.api, identifier)
    if run.output.as_json:
        run.output.json(found)
    else:
        _print_status(run.output, found)


def _status(api: OrdersApi, identifier: str, wait_s: int | None = None) -> dict[str, Any]:
    if identifier.startswith(_BATCH_PREFIX):
        return api.batch_status(identifier.removeprefix(_BATCH_PREFIX), wait_s=wait_s)
    return api.order_status(identifier, wait_s=wait_s)


def _print_status(output: Output, found: dict[str, Any]) -> None:
    facts: list[tuple[str, object]] = [
        (name, found[name])
        for name in ("orderId", "batchId", "state", "stage", "attempt", "submittedAt", "updatedAt")
        if found.get(name) is not None
    ]
    facts += [(name, found[name]) for name in _COUNTS if name in found]
    error = found.get("error")
    if error:
        facts.append(
            ("error", f"{error.get('stage')}: {error.get('code')}: {error.get('message')}")
        )
    waiting = found.get("waitingFor")
    if waiting:
        facts.append(("waiting for", f"{waiting.get('what')} until {waiting.get('until')}"))
    output.table(("WHAT", "VALUE"), facts)
    steps = found.get("steps") or []
    if steps:
        output.table(
            ("STEP", "STATE", "ATTEMPTS", "STARTED", "COMPLETED", "ERROR"),
            [
                (
                    step.get("name"),
                    step.get("state"),
                    step.get("attempts"),
                    step.get("started"),
                    step.get("completed"),
                    (step.get("error") or {}).get("message"),
                )
                for step in steps
            ],
        )


@app.command()
@reports_errors
def wait(
    context: typer.Context,
    identifiers: Annotated[list[str], typer.Argument(metavar="ID...")],
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 300.0,
) -> None:
    """Wait until orders (or batches: `batch:ID`) have ended; prints the last status of each."""
    run = session(context)
    found = _wait_all(run, identifiers, timeout)
    if run.output.as_json:
        run.output.json(found)
    else:
        run.output.table(
            ("ID", "STATE", "ERROR"),
            [
                (
                    identifier,
                    status.get("state"),
                    (status.get("error") or {}).get("message"),
                )
                for identifier, status in zip(identifiers, found, strict=True)
            ],
        )
    if any(not is_final(s) for s in found):
        raise typer.Exit(exit_codes.TIMED_OUT)
    if any(s.get("state") not in ("processed", "completed") for s in found):
        raise typer.Exit(exit_codes.NOT_ALL_WELL)


def _wait_all(run: Session, identifiers: list[str], timeout: float) -> list[dict[str, Any]]:
    deadline = time.monotonic() + timeout
    with run.output.progress() as progress:
        if len(identifiers) == 1 and identifiers[0].startswith(_BATCH_PREFIX):
            bar = progress.add_task("Batch", total=None)

            def seen(status: dict[str, Any]) -> None:
                ended = sum(int(status.get(name) or 0) for name in _ENDED)
                progress.update(bar, total=status.get("total"), completed=ended)

            return [
                wait_for(
                    lambda s: _status(run.api, identifiers[0], s), deadline=deadline, seen=seen
                )
            ]
        bar = progress.add_task("Waiting", total=len(identifiers))
        found = []
        for identifier in identifiers:
            found.append(
                wait_for(
                    lambda s, i=identifier: _status(run.api, i, s),  # type: ignore[misc]
                    deadline=deadline,
                )
            )
            progress.advance(bar)
        return found


@app.command()
@reports_errors
def replay(
    context: typer.Context,
    order_id: str,
    reason: Annotated[str, typer.Option(help="Kept with the order.")],
    order: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="A corrected order to use instead.")
    ] = None,
) -> None:
    """A new attempt of a failed order; steps that had succeeded are not run again."""
    run = session(context)
    corrected = parse_orders(read_text(order), order)[0] if order else None
    found = run.api.replay(order_id, reason=reason, order=corrected)
    if run.output.as_json:
        run.output.json(found)
    else:
        run.output.table(("ID", "ATTEMPT"), [(found.get("orderId"), found.get("attempt"))])


@app.command("replay-failed")
@reports_errors
def replay_failed(  # noqa: PLR0917 - a command's options are its parameters
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Kept with every order.")],
    failed_after: Annotated[str | None, typer.Option(help="RFC 3339, with offset.")] = None,
    failed_before: Annotated[str | None, typer.Option(help="RFC 3339, with offset.")] = None,
    stage: Annotated[str | None, typer.Option(help="Only orders that failed in this step.")] = None,
    code: Annotated[
        str | None, typer.Option(help="Only orders that failed with this code.")
    ] = None,
    ids: Annotated[list[str] | None, typer.Option("--id", help="Only these; repeatable.")] = None,
    terminated: Annotated[
        bool, typer.Option("--terminated", help="Those that were terminated, too.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan, change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Replay every failed order that the filter finds."""
    run = session(context)
    selection = {
        "reason": reason,
        "failedAfter": failed_after,
        "failedBefore": failed_before,
        "stage": stage,
        "code": code,
        "ids": ids,
        "terminated": terminated,
    }
    chosen = {name: value for name, value in selection.items() if value}
    if dry_run:
        plan = dict(run.api.replay_failed({**chosen, "dryRun": True}).body)
        if run.output.as_json:
            run.output.json(plan)
        else:
            _print_plan(run.output, plan)
        return
    confirm_bulk("Replaying every failed order of this selection", yes=yes)
    reply = run.api.replay_failed(chosen)
    if run.output.as_json:
        run.output.json(reply.body)
    else:
        run.output.table(("WHERE",), [(reply.headers.get("location", ""),)])


def _print_plan(output: Output, plan: dict[str, Any]) -> None:
    output.table(
        ("ID", "REUSED", "RUN AGAIN", "ERROR", "FAILED AT"),
        [
            (
                order.get("orderId"),
                ", ".join(order.get("reuse", [])),
                ", ".join(order.get("run", [])),
                (order.get("error") or {}).get("code"),
                order.get("failedAt"),
            )
            for order in plan.get("orders", [])
        ],
    )


@dead_letters_app.callback()
@reports_errors
def dead_letters(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at most.")] = 50,
) -> None:
    """List the dead-letter queue, unless a sub-command is named."""
    if context.invoked_subcommand is not None:
        return
    run = session(context)
    found = run.api.dead_letters(limit=limit)
    if run.output.as_json:
        run.output.json(found)
        return
    run.output.table(
        ("SEQUENCE", "REASON", "DELIVERIES", "ENQUEUED", "REFUSAL", "BODY"),
        [
            (
                letter.get("sequenceNumber"),
                letter.get("reason"),
                letter.get("deliveryCount"),
                letter.get("enqueuedAt"),
                _refusal(letter),
                letter.get("bodyPreview"),
            )
            for letter in found
        ],
    )


def _refusal(letter: dict[str, Any]) -> str:
    """What was wrong with the body; the queue itself only says that it gave up."""
    refusal = letter.get("refusal") or {}
    if not refusal:
        return str(letter.get("description") or "")
    return f"{refusal.get('code')}: {refusal.get('message')}"


@dead_letters_app.command("resubmit")
@reports_errors
def resubmit(
    context: typer.Context,
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[SEQUENCE]...")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is there.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Send dead letters back to the queue."""
    run = session(context)
    if bool(numbers) == everything:
        raise BadInput("Name sequence numbers, or give --all.")
    if everything:
        confirm_bulk("Resubmitting every dead letter", yes=yes)
    found = run.api.resubmit({"all": True} if everything else {"sequenceNumbers": numbers})
    if run.output.as_json:
        run.output.json(found)
    else:
        run.output.table(("RESUBMITTED",), [(found.get("resubmitted"),)])


@app.command()
@reports_errors
def doctor(context: typer.Context) -> None:
    """Check versions, connectivity and what the API says of its dependencies."""
    run = session(context)
    checks = diagnose(run.api)
    if run.output.as_json:
        run.output.json([vars(check) for check in checks])
    else:
        run.output.table(
            ("CHECK", "RESULT", "WHAT WAS SEEN"),
            [(check.name, "ok" if check.ok else "FAILED", check.seen) for check in checks],
        )
    if not all(check.ok for check in checks):
        raise typer.Exit(exit_codes.NOT_ALL_WELL)
