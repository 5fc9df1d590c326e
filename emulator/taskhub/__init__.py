"""The durable task hub: instances, histories, timers, work items and entities in one file."""
