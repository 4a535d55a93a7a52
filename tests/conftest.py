from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support import House, make_models

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with two tiny models, `verse` and `roll`."""
    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def house(models: Path) -> House:
    return House(models)
