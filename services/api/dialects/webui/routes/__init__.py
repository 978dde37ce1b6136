"""The handlers of this dialect: a request's words to the core, and the core's answer back. One noun a file."""
