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
