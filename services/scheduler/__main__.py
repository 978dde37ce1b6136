"""`python -m services.scheduler`."""

from services.scheduler import config, handlers
from shared import boot

if __name__ == "__main__":
    boot.run("scheduler", config.Scheduler, handlers.serve)
