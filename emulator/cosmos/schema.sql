-- Databases and containers; numbers are never used twice, since resource ids are made of them.
CREATE TABLE IF NOT EXISTS databases (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    ts INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS containers (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    database INTEGER NOT NULL REFERENCES databases (num) ON DELETE CASCADE,
    id TEXT NOT NULL,
    ts INTEGER NOT NULL,
    definition TEXT NOT NULL,
    UNIQUE (database, id)
);

-- The log sequence number of each container's last change. It is kept apart from the definition
-- because every write changes it.
CREATE TABLE IF NOT EXISTS positions (
    container INTEGER PRIMARY KEY,
    lsn INTEGER NOT NULL
);

-- Throughput, stored without effect. `resource` is the link of a database or container.
CREATE TABLE IF NOT EXISTS offers (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    resource TEXT NOT NULL UNIQUE,
    resource_rid TEXT NOT NULL,
    content TEXT NOT NULL,
    ts INTEGER NOT NULL
);
