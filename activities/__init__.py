"""The app's only I/O: each activity is one effect that is safe to ask for twice.

All are `async`, those that only compute too: they run on the worker's loop with no thread between.
"""
