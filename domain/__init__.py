"""The business vocabulary: values in, values out; no SDK, no clock, no I/O."""
