-- A blob is there when its row is; contents are files that no row may name (a crash left them), never
-- the reverse. An event is written in the transaction that it tells of, and deleted when delivered.
CREATE TABLE IF NOT EXISTS container (
    name TEXT PRIMARY KEY,
    etag TEXT NOT NULL,
    modified_us INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS blob (
    container TEXT NOT NULL,
    name TEXT NOT NULL,
    file TEXT NOT NULL,
    size INTEGER NOT NULL,
    md5 TEXT NOT NULL,
    etag TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    modified_us INTEGER NOT NULL,
    properties TEXT NOT NULL,             -- JSON
    PRIMARY KEY (container, name)
);

CREATE TABLE IF NOT EXISTS block (
    container TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    file TEXT NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (container, name, id)
);

CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    event TEXT NOT NULL,                  -- JSON
    attempts INTEGER NOT NULL DEFAULT 0,
    due_us INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS event_due ON event (due_us);

-- Which version of a blob a reader (a function with a blob trigger) is done with, or has failed at.
CREATE TABLE IF NOT EXISTS receipt (
    reader TEXT NOT NULL,
    container TEXT NOT NULL,
    name TEXT NOT NULL,
    etag TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    done INTEGER NOT NULL,
    PRIMARY KEY (reader, container, name, etag)
);
