"""`orders`: the operators' command line. It speaks to the HTTP API alone, local or deployed."""
