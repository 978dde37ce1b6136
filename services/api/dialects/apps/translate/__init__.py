"""Between the core's values and this dialect's bodies, one noun a file."""
