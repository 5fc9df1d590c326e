-- A message is somebody's while `held` is set, and nobody's again when `visible_us` has come. Whoever
-- held it before a restart is gone, so the start of the service clears `held`.
CREATE TABLE IF NOT EXISTS queue (
    name TEXT PRIMARY KEY
);

CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL REFERENCES queue (name),
    id TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL,
    inserted_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    visible_us INTEGER NOT NULL,
    dequeue_count INTEGER NOT NULL DEFAULT 0,
    pop_receipt TEXT NOT NULL,
    held INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX IF NOT EXISTS message_visible ON message (queue, visible_us);
