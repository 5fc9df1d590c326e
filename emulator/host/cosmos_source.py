"""What a Cosmos DB trigger listens to, and where its lease is.

Source: the Cosmos DB extension's attribute and its texts.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from emulator.host.errors import FunctionInError
from emulator.host.functions import Binding, Function
from emulator.host.services import cosmos_connection, cosmos_place
from emulator.host.settings import Settings

# What the service gives in one page when nobody asks for less.
_PAGE = 100


@dataclass(frozen=True)
class LeaseTimes:
    """How often a lease is asked for and renewed, and how long one that is not renewed is good."""

    acquire: timedelta = timedelta(seconds=13)
    renew: timedelta = timedelta(seconds=17)
    expiration: timedelta = timedelta(seconds=60)

    @staticmethod
    def of(trigger: Binding) -> "LeaseTimes":
        """Read a trigger's intervals, which are in milliseconds.

        Raises:
            FunctionInError: one is no whole number, or too short to be waited for.
        """
        default = LeaseTimes()
        return LeaseTimes(
            acquire=_interval(trigger, "leaseAcquireInterval", default.acquire),
            renew=_interval(trigger, "leaseRenewInterval", default.renew),
            expiration=_interval(trigger, "leaseExpirationInterval", default.expiration),
        )


def _interval(trigger: Binding, key: str, default: timedelta) -> timedelta:
    number = trigger.number(key)
    if number is None:
        return default
    if number < 1:
        raise FunctionInError(f"'{key}' must be at least 1 millisecond, not {number}.")
    return timedelta(milliseconds=number)


@dataclass(frozen=True)
class FeedSource:
    """Which feed a function listens to, and where its lease is."""

    database: str
    container: str
    lease_database: str
    lease_container: str
    lease_prefix: str = ""
    create_lease_container: bool = False
    page: int = _PAGE
    from_beginning: bool = False
    from_time: datetime | None = None
    lease_times: LeaseTimes = LeaseTimes()

    @property
    def lease_id(self) -> str:
        """The id of the lease's item. Functions that share it split the feed."""
        return f"{self.lease_prefix}{self.database}_{self.container}..0"

    @property
    def missing_text(self) -> str:
        """The extension's words for a container that is not there."""
        return (
            f"Either the source container '{self.container}' (in database '{self.database}')  or "
            f"the lease container '{self.lease_container}' (in database '{self.lease_database}') "
            "does not exist. Both containers must exist before the listener starts. To "
            "automatically create the lease container, set 'CreateLeaseContainerIfNotExists' to "
            "'true'."
        )

    @staticmethod
    def of(function: Function, settings: Settings) -> "FeedSource":
        """Read a function's trigger.

        Raises:
            FunctionInError: it asks for what cannot be.
        """
        trigger = function.trigger
        place = cosmos_place(trigger, settings)
        if lease_connection := trigger.text("leaseConnection"):
            cosmos_connection(lease_connection, settings)
        if (trigger.text("changeFeedMode") or "LatestVersion").lower() != "latestversion":
            raise FunctionInError("The change feed mode 'AllVersionsAndDeletes' is not supported.")
        source = FeedSource(
            database=place.database,
            container=place.container,
            lease_database=trigger.text("leaseDatabaseName") or place.database,
            lease_container=trigger.text("leaseContainerName") or "leases",
            lease_prefix=trigger.text("leaseContainerPrefix") or "",
            create_lease_container=trigger.flag("createLeaseContainerIfNotExists"),
            page=max(1, trigger.number("maxItemsPerInvocation") or _PAGE),
            from_beginning=trigger.flag("startFromBeginning"),
            from_time=_time(trigger.text("startFromTime")),
            lease_times=LeaseTimes.of(trigger),
        )
        if source.from_beginning and source.from_time is not None:
            raise FunctionInError("Only one of StartFromBeginning or StartFromTime can be used.")
        same = (source.database, source.container) == (
            source.lease_database,
            source.lease_container,
        )
        if same:
            raise FunctionInError(
                "The monitored container cannot be the same as the container storing the leases."
            )
        return source


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise FunctionInError(f"'startFromTime' is not a date: '{text}'.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
