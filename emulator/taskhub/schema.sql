-- Instances. One narrow row each, rewritten by every turn; what is long is kept beside it.
-- Times are microseconds since 1970. `turn` counts commits: each states the one it builds on.
CREATE TABLE IF NOT EXISTS instance (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    execution_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT,
    parent_id TEXT,
    parent_execution TEXT,
    parent_task INTEGER,
    status TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    started INTEGER NOT NULL,       -- whether the present execution has a history
    next_due INTEGER,               -- when its next timer fires
    open_work INTEGER NOT NULL,     -- how many activities it waits for
    custom_status TEXT,
    verdict TEXT,                   -- how it ends once nothing blocks it
    output TEXT
);

-- The input text of an instance's present execution.
CREATE TABLE IF NOT EXISTS input (
    instance INTEGER PRIMARY KEY,
    text TEXT
);

-- The present execution's history: one row for each episode, in order, never rewritten.
CREATE TABLE IF NOT EXISTS history (
    seq INTEGER PRIMARY KEY,
    instance INTEGER NOT NULL,
    events TEXT NOT NULL,
    marks TEXT
);
CREATE INDEX IF NOT EXISTS history_of_instance ON history (instance);

-- Messages that were acknowledged and not yet taken. Without an execution: for whichever runs.
CREATE TABLE IF NOT EXISTS inbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    instance INTEGER NOT NULL,
    execution_id TEXT,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    event TEXT
);
CREATE INDEX IF NOT EXISTS inbox_of_instance ON inbox (instance);

CREATE TABLE IF NOT EXISTS entity (
    id TEXT PRIMARY KEY,
    present INTEGER NOT NULL,
    state TEXT,
    last_operation INTEGER NOT NULL
);

-- Operations that wait for their entity. Without a request it is a signal.
CREATE TABLE IF NOT EXISTS operation (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    entity TEXT NOT NULL,
    name TEXT NOT NULL,
    input TEXT,
    caller TEXT,
    caller_execution TEXT,
    request TEXT
);
CREATE INDEX IF NOT EXISTS operation_of_entity ON operation (entity);
