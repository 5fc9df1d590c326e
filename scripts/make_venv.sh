#!/usr/bin/env bash
# Makes the virtual environment named by $1 with a Python that works: $PYTHON where it is set,
# else the first of the usual names that runs, is 3.11 or later and has a SQLite new enough.
set -euo pipefail
venv=$1

works() {
    "$1" -c '
import sqlite3, sys, venv
sys.exit(sys.version_info < (3, 11) or sqlite3.sqlite_version_info < (3, 38))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    if ! works "$PYTHON"; then
        echo "PYTHON=$PYTHON does not run, or is older than Python 3.11 with SQLite 3.38." >&2
        exit 1
    fi
    python=$PYTHON
else
    python=
    for name in python3.13 python3.12 python3.11 python3 python; do
        if command -v "$name" >/dev/null 2>&1 && works "$name"; then
            python=$name
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "No Python 3.11 or later (with SQLite 3.38 or later) was found on PATH." >&2
        echo "Install one, or name one: make PYTHON=/path/to/python3.12 ..." >&2
        exit 1
    fi
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if ! { [ -x "$venv/bin/python" ] &&
    [ "$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$version" ]; }; then
    rm -rf "$venv"
    if ! "$python" -m venv "$venv"; then
        echo "$python cannot make a virtual environment; on Debian install python$version-venv." >&2
        exit 1
    fi
fi
echo "Installing into $venv (Python $version) ..." >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[emulator,cli,dev]' >&2
