"""Bodies as they are on the wire. One noun a file."""
