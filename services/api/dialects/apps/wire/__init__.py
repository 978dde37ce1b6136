"""Every body of this dialect, one noun a file."""
