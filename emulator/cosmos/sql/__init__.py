"""The query language: from a text to one SQLite statement."""
