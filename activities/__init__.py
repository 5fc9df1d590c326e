"""The app's only I/O: each activity is one effect that is safe to ask for twice."""
