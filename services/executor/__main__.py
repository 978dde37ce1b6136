"""`python -m services.executor`: runs what the router dispatched."""

from services.executor import config, handlers
from shared import boot

if __name__ == "__main__":
    boot.run("executor", config.Executor, handlers.serve)
