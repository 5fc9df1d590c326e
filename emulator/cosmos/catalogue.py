"""The databases and containers that exist, in memory, found by name or by resource id."""

from emulator.cosmos.autoindex import MAX_INDEXES, MIN_CHANGES
from emulator.cosmos.errors import OWNER_NOT_FOUND, not_found
from emulator.cosmos.feed import Watermark
from emulator.cosmos.model import Container, Database


class Live:
    """A container that exists now; a replace puts a new definition in the same place."""

    def __init__(self, container: Container, lsn: int) -> None:
        self.container = container
        self.watermark = Watermark(lsn)
        self._indexes: set[tuple[str, ...]] = set()

    def wants_index(self, columns: tuple[str, ...]) -> bool:
        """Whether to make an index that a slow query asked for; says yes once for each."""
        if columns in self._indexes or len(self._indexes) >= MAX_INDEXES:
            return False
        if self.watermark.lsn < MIN_CHANGES:
            return False
        self._indexes.add(columns)
        return True


class Catalogue:
    """What exists. Kept on the event loop; changed after the change is on disk."""

    def __init__(self) -> None:
        self._databases: dict[str, Database] = {}
        self._containers: dict[int, dict[str, Live]] = {}

    @property
    def databases(self) -> list[Database]:
        return sorted(self._databases.values(), key=lambda database: database.num)

    def containers(self, database: Database) -> list[Live]:
        """The containers of a database, oldest first."""
        return sorted(self._containers[database.num].values(), key=lambda live: live.container.num)

    def every_container(self) -> list[Live]:
        """The containers of all databases."""
        return [live for by_name in self._containers.values() for live in by_name.values()]

    def add_database(self, database: Database) -> None:
        self._databases[database.id] = database
        self._containers[database.num] = {}

    def remove_database(self, database: Database) -> None:
        if self._databases.get(database.id) == database:
            del self._databases[database.id]
        self._containers.pop(database.num, None)

    def add_container(self, container: Container, lsn: int = 0) -> Live:
        live = Live(container, lsn)
        self._containers.setdefault(container.database.num, {})[container.id] = live
        return live

    def remove_container(self, container: Container) -> None:
        by_name = self._containers.get(container.database.num, {})
        live = by_name.get(container.id)
        if live is not None and live.container.num == container.num:
            del by_name[container.id]

    def database(self, name: str, substatus: int = 0) -> Database:
        """The database of a name or resource id.

        Raises:
            CosmosError: 404, with the sub-status that the caller wants.
        """
        found = self._databases.get(name)
        if found is not None:
            return found
        for database in self._databases.values():
            if database.rid == name:
                return database
        raise not_found(substatus)

    def container(self, database: str, name: str, substatus: int = OWNER_NOT_FOUND) -> Live:
        """The container of a name or resource id.

        Raises:
            CosmosError: 404, with sub-status 1003 where its database is missing.
        """
        by_name = self._containers[self.database(database, OWNER_NOT_FOUND).num]
        found = by_name.get(name)
        if found is not None:
            return found
        for live in by_name.values():
            if live.container.rid == name:
                return live
        raise not_found(substatus)
