-- The run history. A run that was going on when its process died stays 'Running' until the next
-- start, which calls it 'Aborted'; the message that started it starts another.
CREATE TABLE IF NOT EXISTS run (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    trigger TEXT NOT NULL,                -- JSON
    error TEXT                            -- JSON
);

CREATE INDEX IF NOT EXISTS run_status ON run (workflow, status, number);

CREATE TABLE IF NOT EXISTS action (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL,
    name TEXT NOT NULL,
    repetition TEXT NOT NULL,             -- '' outside of loops
    status TEXT NOT NULL,
    result TEXT NOT NULL                  -- JSON
);

CREATE INDEX IF NOT EXISTS action_run ON action (run, repetition, number);
CREATE INDEX IF NOT EXISTS action_name ON action (run, name, number);
