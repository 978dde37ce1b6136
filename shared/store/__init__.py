"""MongoDB, one noun a file."""

import sys

# The driver would load `cryptography` for PyOpenSSL's sake, which is not used here: eight megabytes in every service.
# None is how Python is told that a module is not there; the driver then uses Python's own ssl.
sys.modules.setdefault("pymongo.pyopenssl_context", None)  # type: ignore[arg-type]
