"""A virtual environment for each backend: their dependencies are many and disagree with everybody's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from backends.failed import BackendsError

FOLDER = Path(".backends")
INSTALL_S = 1800.0
TOLD_LINES = 15


def prepared(name: str, requirement: str) -> Path:
    """The environment's folder; made when it is not there, or was made for another requirement."""
    folder = FOLDER.absolute() / name
    stamp = folder / ".requirement"
    if stamp.exists() and stamp.read_text() == requirement:
        return folder
    print(f"  installs {requirement} into {FOLDER / name} (once; some minutes, about 1 GB)", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _run(name, [sys.executable, "-m", "venv", str(folder)])
    python = str(folder / "bin" / "python")
    _run(name, [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement])
    stamp.write_text(requirement)
    return folder


def _run(name: str, command: list[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        raise BackendsError(
            f"{' '.join(command)} took longer than {INSTALL_S:.0f} s", "see whether PyPI answers, then run it again"
        ) from None
    if done.returncode:
        said = "\n".join(f"    {line}" for line in done.stderr.splitlines()[-TOLD_LINES:])
        advice = f"see that PyPI can be reached and the disk has room, remove {FOLDER / name}, then run it again"
        raise BackendsError(f"{' '.join(command)} failed:\n{said}", advice)
