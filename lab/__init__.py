"""`make lab`: the local steps of docs/lab.md, carried out and judged one by one."""
