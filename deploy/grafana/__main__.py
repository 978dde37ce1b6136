"""Write every dashboard anew: `python -m deploy.grafana`."""

from pathlib import Path

from deploy.grafana.boards import BOARDS
from deploy.grafana.dashboard import text

FOLDER = Path(__file__).parent / "dashboards"

if __name__ == "__main__":
    for name, board in BOARDS.items():
        (FOLDER / f"{name}.json").write_text(text(board))
