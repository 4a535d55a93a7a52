"""The Dockerfile, read: no docker runs where these tests do."""

from __future__ import annotations

import json
import shlex
import tomllib
from pathlib import Path

from stream_rnn.cli import _parser

ROOT = Path(__file__).parents[1]


def instructions() -> list[tuple[str, str]]:
    """Each with what follows it, lines that go on joined and comments left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (name, rest) for name, _, rest in (x.partition(" ") for x in joined.splitlines()) if name
    ]


def copied() -> set[str]:
    plain = [shlex.split(rest) for name, rest in instructions() if name == "COPY"]
    return {source for words in plain for source in words[:-1]}


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignore[0] == "*"
    for source in copied():
        assert (ROOT / source).exists()
        assert f"!{source}" in ignore


def test_all_that_the_wheel_is_made_of_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], project["project"]["readme"]}
    assert needed | set(project["project"]["license-files"]) | {"pyproject.toml"} <= copied()


def test_it_is_not_root_that_serves() -> None:
    names = [name for name, _ in instructions()]
    user = next(rest for name, rest in instructions() if name == "USER")
    assert user not in ("root", "0")
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_what_it_runs_is_a_command_of_ours_and_healthz_is_asked_where_it_listens() -> None:
    last = dict(instructions())
    assert json.loads(last["ENTRYPOINT"]) == ["stream-rnn"]
    options = _parser().parse_args(json.loads(last["CMD"]))
    assert options.host == "0.0.0.0" and not options.anyone
    assert f":{options.port}/healthz" in last["HEALTHCHECK"]
    assert f"{options.port}/tcp" in last["EXPOSE"]


def test_it_is_a_python_that_has_wheels() -> None:
    from wheels import PYTHONS

    for name, rest in instructions():
        if name == "FROM":
            assert rest.removeprefix("python:").partition("-slim")[0] in PYTHONS
