"""A package that happens to be called as the program that runs this app."""

MINE = "the app's own"
