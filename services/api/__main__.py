"""`python -m services.api`: the HTTP API."""

from services.api import app, config
from shared import boot

if __name__ == "__main__":
    boot.run("api", config.Api, app.serve)
