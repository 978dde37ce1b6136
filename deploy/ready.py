"""A container's health check: 0 when the service in it answers that it can do its job."""

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["SHOAL_HEALTH_PORT"]), timeout=4)
try:
    connection.request("GET", "/readyz")
    sys.exit(connection.getresponse().status != http.client.OK)
except OSError as error:
    sys.exit(f"not listening: {error}")
