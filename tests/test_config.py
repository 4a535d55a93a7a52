"""`serve.toml`, read strictly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream_rnn.adapters.osc.socket import OscOptions
from stream_rnn.adapters.osc.targets import form_of
from stream_rnn.adapters.osc.voices import PlainForm, TemplateForm
from stream_rnn.checkpoint import find_models
from stream_rnn.config import Config, read_config
from stream_rnn.errors import ConfigError

ROOT = Path(__file__).parents[1]


def read(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "serve.toml"
    path.write_text(text)
    return read_config(path)


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Config()


def test_tables_are_read(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
        [[session]]
        name = "main"
        model = "nottingham"
        [[osc.target]]
        port = 57120
        note = "/dirt/play s superpiano n {note}"
        [[midi.out]]
        port = "FLUID"
        drums = { 36 = 35 }
        [[midi.in]]
        port = "Keystation"
        """,
    )
    assert config.session[0].model == "nottingham" and config.osc.target[0].port == 57120
    assert config.midi.out_[0].drums == {"36": 35} and config.midi.in_[0].keys == "answer"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[midi]\nprot = 1", "unknown field `prot`"),
        ("[[midi.out]]\nport = 'x'\nchannel = 17", r"\$.midi.out\[0\].channel"),
        ("[[osc.target]]\nhost = 'x'", "missing required field `port`"),
        ("[osc", "serve.toml"),
        ("[tempo]\nsync = 'drummer'", "drummer"),
    ],
)
def test_what_does_not_belong_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read(tmp_path, text)


def test_the_example_changes_nothing_until_its_lines_are_uncommented(tmp_path: Path) -> None:
    example = ROOT / "configs/serve.toml"
    assert read_config(example) == Config()
    text = example.read_text(encoding="utf-8")
    config = read(tmp_path, re.sub(r"(?m)^#(?=[^ #\n])", "", text))
    for name in Config.__struct_fields__:
        assert getattr(config, name) != getattr(Config(), name), f"no example of {name}"
    assert OscOptions.of(config.osc).allow.networks
    spoken = {type(form_of(target)) for target in config.osc.target}
    assert spoken == {PlainForm, TemplateForm}
    assert {s.model for s in config.session} <= set(find_models(ROOT / "models"))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_config(tmp_path / "absent.toml")
