"""`make demo`: the sample day of orders through the whole pipeline, every one of them checked."""
