CREATE TABLE IF NOT EXISTS event (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    schema TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    event TEXT NOT NULL                   -- JSON, as it was published
);

CREATE INDEX IF NOT EXISTS event_type ON event (type);
CREATE INDEX IF NOT EXISTS event_subject ON event (subject);

-- What a subscription is still to be given. Written in the transaction that keeps the event, deleted
-- when it is delivered; with a reason it is a dead letter.
CREATE TABLE IF NOT EXISTS delivery (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    sequence INTEGER NOT NULL REFERENCES event (sequence),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_us INTEGER,
    reason TEXT
);

CREATE INDEX IF NOT EXISTS delivery_due ON delivery (due_us);
