"""The PROXY mode: a call is a request to the function's webhook."""
