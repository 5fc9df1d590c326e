"""The local Functions host: what stands between the doors, the queues and the user's functions."""
