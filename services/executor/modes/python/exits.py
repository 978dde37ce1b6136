"""What the exit status of a worker says."""

# There was no memory left to say it in a reply.
MEMORY_EXIT = 86
BROKEN_EXIT = 1
