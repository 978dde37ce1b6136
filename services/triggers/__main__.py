"""`python -m services.triggers`."""

from services.triggers import config, handlers
from shared import boot

if __name__ == "__main__":
    boot.run("triggers", config.Triggers, handlers.serve)
