"""The functions that something outside calls: the change feed, the queue, HTTP."""
