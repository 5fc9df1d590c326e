"""The child process that loads a function app and runs its functions.

It stands on the standard library and on the app's own `azure.functions`, so that it runs in
whatever environment the app has. Its modules import one another relatively: the process may load
this package under another name, so that an app with a package called `emulator` keeps its own.
"""
