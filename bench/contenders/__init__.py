"""Who takes part. Each file starts one contender and keeps it running for the length of a block."""
