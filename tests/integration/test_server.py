"""The whole server, as users run it: real processes, real sockets."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from support import make_models
from talker import Talker
from websockets.exceptions import InvalidStatus

from stream_rnn.bench.processes import busy
from stream_rnn.bench.serve import children, running_server
from stream_rnn.serve.engine_ward import HANGS

Server = tuple[subprocess.Popen[str], str]


def get(url: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {})) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_http_tells_what_there_is(address: str) -> None:
    assert get(f"{address}/healthz") == (200, "ok\n")
    status, text = get(f"{address}/v1/models")
    models = {m["name"]: m for m in json.loads(text)["models"]}
    assert status == 200 and models["verse"]["artists"] == ["Ada", "Bo", "Cy"]
    assert models["roll"]["domain"] == "pianoroll"
    with Talker(address) as talker:
        assert talker.hello["version"] == 1 and talker.hello["models"] == list(models.values())
        talker.ask("open", "opened", model="verse", session="shown", seed=4)
        talker.symbols(3)
        sessions = json.loads(get(f"{address}/v1/sessions")[1])["sessions"]
        shown = next(s for s in sessions if s["session"] == "shown")
        assert shown["viewers"] == 1 and shown["seed"] == 4 and shown["position"] >= 3
        metrics = get(f"{address}/metrics")[1]
        assert re.search(r'stream_rnn_sessions{status="playing"} [1-9]', metrics)
        assert "stream_rnn_engine_up 1.0" in metrics
        talker.ask("close", "closed", session="shown")
    assert get(f"{address}/")[0] == 200
    assert get(f"{address}/../pyproject.toml")[0] == 404
    assert get(f"{address}/%2e%2e/pyproject.toml")[0] == 404


def test_pages_and_names_from_elsewhere_are_refused(address: str) -> None:
    status, text = get(f"{address}/v1/models", {"Host": "evil.example"})
    assert status == 421 and "evil.example" in text
    with pytest.raises(InvalidStatus) as refused:
        Talker(address, origin="http://evil.example")
    assert refused.value.response.status_code == 403
    Talker(address, origin=address).close()


def test_ping_tells_the_servers_time(address: str) -> None:
    with Talker(address) as talker:
        before = time.monotonic()
        pong = talker.ask("ping", "pong", t0=1.5, id="p")
        assert pong["t0"] == 1.5 and pong["id"] == "p"
        assert before <= pong["t1"] <= pong["t2"] <= time.monotonic()


def test_several_viewers_see_one_stream(address: str) -> None:
    with Talker(address) as first, Talker(address) as second:
        first.ask("open", "opened", model="roll", session="both", seed=1)
        first.symbols(5)
        second.ask("attach", "opened", session="both", after=-1)
        heard, also = first.symbols(25), second.symbols(30)
        by_n = {m["n"]: (m["due"], m["notes"]) for m in also}
        assert list(by_n) == list(range(30))
        shared = [m for m in heard if m["n"] in by_n]
        assert len(shared) >= 20
        assert all(by_n[m["n"]] == (m["due"], m["notes"]) for m in shared)
        first.ask("close", "closed", session="both")


def test_dropped_connections_lose_nothing(address: str) -> None:
    stream: list[dict[str, object]] = []
    with Talker(address) as talker:
        talker.ask("open", "opened", model="verse", session="drop", seed=3, controls={"rate": 100})
        stream += talker.symbols(40)
        talker.socket.socket.shutdown(2)  # as a pulled cable: no closing handshake
    for _ in range(3):
        time.sleep(0.2)
        with Talker(address) as talker:
            talker.ask("attach", "opened", session="drop", after=stream[-1]["n"])
            stream += talker.symbols(40)
            talker.socket.socket.shutdown(2)
    assert [m["n"] for m in stream] == list(range(160))
    with Talker(address) as talker:
        talker.ask("attach", "opened", session="drop", after=-1)
        assert [m["text"] for m in talker.symbols(160)] == [m["text"] for m in stream]
        talker.ask("close", "closed", session="drop")


def test_the_same_inputs_give_the_same_symbols_in_another_server(
    address: str, models: Path
) -> None:
    def stream(at: str) -> list[str]:
        with Talker(at) as talker:
            talker.ask("open", "opened", model="verse", session="twin", seed=11, prime="so ",
                       controls={"rate": 150, "artist": {"Ada": 2, "Cy": 1}})  # fmt: skip
            texts = [m["text"] for m in talker.symbols(200)]
            talker.ask("close", "closed", session="twin")
        return texts

    with running_server(models) as (_, other):
        assert stream(address) == stream(other)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "hangs"])
def test_an_engine_that_is_gone_comes_back_with_the_symbol_that_was_next(
    models: Path, end: signal.Signals
) -> None:
    with running_server(models) as (process, address):
        with Talker(address) as talker:
            talker.ask("open", "opened", model="verse", session="whole", seed=2,
                       controls={"rate": 100})  # fmt: skip
            expected = [m["text"] for m in talker.symbols(500)]
            talker.ask("close", "closed", session="whole")
        with Talker(address) as talker:
            for _ in range(10):
                talker.ask("open", "opened", model="roll", controls={"rate": 60})
            talker.ask("open", "opened", model="verse", session="s", seed=2,
                       controls={"rate": 100})  # fmt: skip
            got: list[dict[str, object]] = []
            while len(got) < 150:
                got += [m for m in talker.symbols(1) if m["session"] == "s"]
            (engine,) = children(process.pid)
            os.kill(engine, end)
            gone = time.monotonic()
            back = None
            while len(got) < 500:
                message = talker.next(30.0)
                if message["type"] == "playing" and message["session"] == "s":
                    back = message["arrived"] - gone
                    assert message["reason"] == "engine"
                if message["type"] == "symbol" and message["session"] == "s":
                    got.append(message)
            assert back is not None and back < 10 + (HANGS if end is signal.SIGSTOP else 0)
            assert [m["text"] for m in got] == expected
            assert [m["n"] for m in got] == list(range(500))
            assert {"paused", "playing"} <= {m["type"] for m in talker.heard}
            assert children(process.pid) != [engine]


def test_a_spare_engine_takes_over_and_another_waits(models: Path) -> None:
    with running_server(models, spare=True) as (process, address), Talker(address) as talker:
        controls = {"rate": 100}
        talker.ask("open", "opened", model="verse", session="whole", seed=2, controls=controls)
        expected = [m["text"] for m in talker.symbols(700)]
        talker.ask("close", "closed", session="whole")
        talker.ask("open", "opened", model="verse", session="s", seed=2, controls=controls)
        got = talker.symbols(50)
        for _ in range(2):
            engine, spare = _when_idle(process.pid)
            os.kill(engine, signal.SIGKILL)
            while engine in children(process.pid):
                got += talker.symbols(1)
            assert spare in children(process.pid)
            killed = time.monotonic()
            while got[-1]["due"] < killed + 1.0:  # beyond all that had been computed
                got += talker.symbols(1)
        assert [m["text"] for m in got[:700]] == expected[: len(got)]
        assert [m["n"] for m in got] == list(range(len(got)))


def _when_idle(server: int) -> tuple[int, int]:
    """The engine and its spare, once the spare waits."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pids = children(server)
        used = busy(pids[1:])
        time.sleep(0.5)
        if len(pids) == 2 and used > 0.1 and busy(pids[1:]) == used:
            return pids[0], pids[1]
    raise TimeoutError("no engine waits")


def test_a_machine_without_time_refuses_one_session_more(models: Path) -> None:
    with running_server(models, "--max-busy", "1e-9") as (_, address), Talker(address) as talker:
        talker.ask("open", "opened", model="verse", session="first")
        talker.symbols(20)
        refused = talker.ask("open", "opened", model="verse", session="second")
        assert (refused["code"], refused["retry_after"]) == ("too_many_sessions", 2.0)
        talker.symbols(20)
        metrics = get(f"{address}/metrics")[1]
        for process in ("engine", "gateway"):
            found = re.search(rf'stream_rnn_busy{{process="{process}"}} (\S+)', metrics)
            assert found is not None and 0 <= float(found[1]) < 20


def test_sigterm_ends_everything_in_time(models: Path) -> None:
    with running_server(models) as (process, address), Talker(address) as talker:
        for _ in range(10):
            talker.ask("open", "opened", model="verse", controls={"rate": 200})
        time.sleep(1.5)  # unread symbols pile up: this client will not answer a farewell
        engine = children(process.pid)
        began = time.monotonic()
        process.terminate()
        assert process.wait(5) == 0
        assert time.monotonic() - began < 2
        assert not any(Path(f"/proc/{pid}").exists() for pid in engine)


def test_the_engine_does_not_outlive_a_killed_gateway(models: Path) -> None:
    with running_server(models) as (process, _):
        (engine,) = children(process.pid)
        process.kill()
        process.wait()
        end = time.monotonic() + 5
        while Path(f"/proc/{engine}").exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert not Path(f"/proc/{engine}").exists()


def test_an_open_address_needs_a_token(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from stream_rnn.cli import main

    assert main(["serve", "--host", "0.0.0.0", "--port", "0", "--models", str(models)]) == 2
    assert "--token" in capfd.readouterr().err
    with running_server(models, "--token", "sesame") as (_, address):
        assert get(f"{address}/healthz")[0] == 200
        assert get(f"{address}/v1/models")[0] == 401
        assert get(f"{address}/v1/models?token=sesame")[0] == 200
        assert get(f"{address}/v1/models", {"Authorization": "Bearer sesame"})[0] == 200
        with pytest.raises(InvalidStatus):
            Talker(address)
        Talker(address, additional_headers={"Authorization": "Bearer sesame"}).close()


def test_a_port_in_use_and_an_empty_models_folder_are_told(
    address: str, models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from stream_rnn.cli import main

    port = address.rpartition(":")[2]
    assert main(["serve", "--port", port, "--models", str(models)]) == 2
    assert "--port" in capfd.readouterr().err
    assert main(["serve", "--port", "0", "--models", str(tmp_path)]) == 2
    assert "no models" in capfd.readouterr().err


def spoilt_models(folder: Path) -> dict[str, str]:
    """Four models of which one is whole; and what is said of the others."""
    make_models(folder)
    for name in ("cut", "broken", "renamed"):
        shutil.copytree(folder / "verse", folder / name)
        card = (folder / name / "card.json").read_text()
        own = card if name == "renamed" else card.replace('"name": "verse"', f'"name": "{name}"')
        (folder / name / "card.json").write_text(own[:-90] if name == "broken" else own)
    weights = folder / "cut" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5000])
    shutil.rmtree(folder / "roll")
    return {
        "cut": f"{weights}: damaged or cut short",
        "broken": f"{folder / 'broken' / 'card.json'}: cannot be read",
        "renamed": f"{folder / 'renamed'}: its card says it is 'verse'",
    }


def test_models_that_cannot_be_used_leave_the_others_to_be_served(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from stream_rnn.cli import main

    faults = spoilt_models(tmp_path)
    with running_server(tmp_path) as (_, address):
        models = json.loads(get(f"{address}/v1/models")[1])["models"]
        assert [m["name"] for m in models] == ["verse"]
        with Talker(address) as talker:
            talker.ask("open", "opened", model="verse")
            talker.symbols(3)
    said = capfd.readouterr().err
    for fault in faults.values():
        assert (
            len([x for x in said.splitlines() if f"ERROR stream_rnn: left out: {fault}" in x]) == 1
        )
    shutil.rmtree(tmp_path / "verse")
    assert main(["serve", "--port", "0", "--models", str(tmp_path)]) == 2
    assert "no models in it that can be used" in capfd.readouterr().err
