"""What the modes that run code know of the kernel: calls, namespaces, Landlock, system call filters, and their trial.

Nothing here says what a function may do; each mode does. It is imported by small processes that are forked often, so it
imports next to nothing.
"""
