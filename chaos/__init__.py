"""Kills the emulator at every durable write, restarts it, and compares with an undisturbed run."""
