"""The API Management gateway: executes the policy XML that is deployed, in front of the local host.

What it supports, what differs and what it refuses is listed in COVERAGE.md beside this file.
"""
