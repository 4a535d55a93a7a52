"""How the integer kernel's functions are compiled, and where what is compiled is kept.

Numba looks at a function's own file to see whether its compiled code is still right, and not at the
files of what it calls. So the folder is named after all of them: a change in one gives another.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from numba import config

PARTS = ("kernels/compiling.py", "kernels/integer*.py", "numerics/*.py")


def cache_folder() -> Path | None:
    """Where compiled code is kept, or None where it cannot be."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        root = Path(given)
    elif sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA", Path.home()))
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    engine = Path(__file__).parents[1]
    files = sorted(path for part in PARTS for path in engine.glob(part))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    folder = root / "stream-rnn" / digest
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


FOLDER = cache_folder()
if FOLDER:
    config.CACHE_DIR = str(FOLDER)

OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",  # with Python's, the check for a division by 0 keeps vectors away
    "boundscheck": False,
    "cache": FOLDER is not None,
}


def is_cached() -> bool:
    """Whether something has been compiled before."""
    return FOLDER is not None and any(FOLDER.rglob("*.nbc"))
