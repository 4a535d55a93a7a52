"""What `/healthz?verbose` tells of the engines."""

from support import House

from stream_rnn.adapters.web.http import health_json


def test_health_tells_each_engines_device_and_numerics(house: House) -> None:
    assert health_json(house.stage)["engines"][0]["numerics"] is None  # it has not said yet
    ready = house.engine.ready
    assert ready is not None and str(ready) == "cpu, numerics 1"
    house.stage.engine_life.met(house.link, ready)
    house.say(house.join(), "open", model="verse", session="s")
    engine = {"up": True, "sessions": 1, "device": "cpu", "numerics": 1}
    assert health_json(house.stage) == {"ok": True, "engines": [engine]}
    house.engine.kill()
    assert health_json(house.stage) == {"ok": False, "engines": [engine | {"up": False}]}
