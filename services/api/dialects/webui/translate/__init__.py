"""Between the core's words and those of this dialect. Pure. One noun a file."""
