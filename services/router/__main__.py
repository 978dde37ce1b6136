"""`python -m services.router`: decides what becomes of every command."""

from services.router import config, handlers
from shared import boot

if __name__ == "__main__":
    boot.run("router", config.Router, handlers.serve)
