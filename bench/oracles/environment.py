"""A virtual environment for other people's solvers, beside the build: nothing of the project links to them."""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run_inside(name: str, packages: list[str]) -> None:
    """Runs this program again in the environment of that name, which holds the packages."""
    home = ROOT / "target" / name
    python = home / "bin" / "python"
    if Path(sys.prefix).resolve() == home.resolve():
        return
    if not python.exists():
        venv.create(home, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    os.execv(python, [str(python), *sys.argv])
