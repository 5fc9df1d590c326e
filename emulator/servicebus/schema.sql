-- One row of `message` for each message, one of `content` for what is not needed to decide anything:
-- a change of state does not rewrite the body. An id is the queue's number * 2^40 + the sequence
-- number. A lock is not stored: it dies with the process. The count of deliveries is.
CREATE TABLE IF NOT EXISTS queue (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    last_sequence_number INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,               -- 0 active, 1 scheduled, 2 deferred
    is_dead_letter INTEGER NOT NULL DEFAULT 0,
    delivery_count INTEGER NOT NULL DEFAULT 0,
    enqueued_us INTEGER NOT NULL,
    expires_us INTEGER,
    scheduled_us INTEGER,
    session_id TEXT NOT NULL DEFAULT '',
    reason TEXT,
    description TEXT
);

CREATE TABLE IF NOT EXISTS content (
    id INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    body BLOB NOT NULL,
    properties TEXT NOT NULL              -- JSON: the other members of the outgoing message
);

-- The message ids that a queue with duplicate detection remembers.
CREATE TABLE IF NOT EXISTS history (
    queue INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    sequence_number INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    PRIMARY KEY (queue, message_id)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS history_until ON history (until_us);
