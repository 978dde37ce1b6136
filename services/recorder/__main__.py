"""`python -m services.recorder`: writes down what happened."""

from services.recorder import config, handlers
from shared import boot

if __name__ == "__main__":
    boot.run("recorder", config.Recorder, handlers.serve)
