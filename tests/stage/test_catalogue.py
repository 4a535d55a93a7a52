from pathlib import Path

import pytest

from stream_rnn.checkpoint import find_models, read_card
from stream_rnn.errors import ProtocolError
from stream_rnn.stage.catalogue import Catalogue
from stream_rnn.stage.limits import Model


@pytest.fixture
def catalogue(models: Path) -> Catalogue:
    found = find_models(models)
    return Catalogue({name: Model.of(read_card(folder)) for name, folder in found.items()})


def test_a_model_is_found_by_its_name(catalogue: Catalogue) -> None:
    assert sorted(catalogue) == ["roll", "verse"]
    assert catalogue.find("verse") is catalogue["verse"]


def test_an_unknown_name_is_answered_with_those_that_there_are(catalogue: Catalogue) -> None:
    with pytest.raises(ProtocolError, match="no model 'nobody'; there are: roll, verse") as told:
        catalogue.find("nobody")
    assert (told.value.code, told.value.field) == ("unknown_model", "model")


def test_a_model_that_cannot_be_loaded_is_left_out_and_says_why(catalogue: Catalogue) -> None:
    catalogue.left_out = {"verse": "verse: its weights are damaged"}
    assert (list(catalogue), len(catalogue), "verse" in catalogue) == (["roll"], 1, False)
    with pytest.raises(ProtocolError, match="its weights are damaged"):
        catalogue.find("verse")
