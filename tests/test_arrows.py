"""Each arrow points down: who may import whom, as DESIGN.md has it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "stream_rnn"

# room: what it may import besides itself. A room is a folder or a module at the top, or one of the
# adapters' folders.
PURE = {"errors", "codecs", "control_table", "control_values", "card", "checkpoint"}
# What adapters stand on.
HOUSE = {*PURE, "clock", "config", "recent", "wire", "sound", "sessions", "stage"}
ARROWS: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "clock": set(),
    "paths": set(),
    "system": set(),
    "descriptors": set(),
    "timed_queue": set(),
    "recent": set(),
    "handover": set(),
    "interfaces": set(),
    "garbage": {"clock"},
    "supervise": {"errors", "clock"},
    "pipe": {"errors", "descriptors", "handover"},
    "config": {"errors", "control_table"},
    "midi": {"errors", "clock", "handover", "pipe", "system", "timed_queue"},
    "schema": {"errors"},
    "codecs": {"errors", "schema"},
    "sound": {"errors", "codecs"},
    "wire": {"errors", "codecs", "sound", "control_table"},
    "nets": {"errors", "schema", "codecs"},
    "control_table": {"errors"},
    "page_tables": {"errors"},
    "control_docs": {"errors", "control_table", "page_tables"},
    "control_values": {"errors", "codecs", "control_table"},
    "card": {"errors", "schema", "codecs", "control_values", "nets"},
    "weights": {"errors", "schema", "nets"},
    "model_files": {"errors", "schema"},
    "checkpoint": {"errors", "codecs", "nets", "card", "weights", "model_files"},
    "engine": {"errors", "clock", "handover", "pipe", "system", "codecs", "nets", "checkpoint"},
    "train": {"errors", "codecs", "nets", "card", "checkpoint", "model_files", "page_tables"},
    "inspect": {"errors", "codecs", "nets", "checkpoint", "train"},
    # Sessions know no protocol, and the stage knows no device.
    "sessions": {*PURE, "engine.messages"},
    "stage": {*PURE, "clock", "garbage", "config", "system", "timed_queue", "wire", "sessions",
              "engine.messages", "midi.messages"},
    "store": {"errors", "sessions"},
    # None imports another, but that both HTTP sides stand on `http`.
    "adapters": set(),
    "adapters.http": {"errors", "wire"},
    "adapters.web": {*HOUSE, "__init__", "garbage", "system", "midi.messages", "adapters.http"},
    "adapters.osc": {*HOUSE, "timed_queue"},
    "adapters.oscquery": {*HOUSE, "adapters.http"},
    "adapters.tempo": HOUSE,
    "adapters.midi": {*HOUSE, "supervise", "midi.client", "midi.messages", "midi.player"},
    # It knows them all, and only the command line knows it.
    "serve": {
        *HOUSE, "store", "supervise", "descriptors", "interfaces", "system", "engine.messages",
        "engine.client",
        "adapters.http", "adapters.web", "adapters.osc", "adapters.oscquery", "adapters.tempo",
        "adapters.midi",
    },
    "bench": {
        *HOUSE, "paths", "engine", "nets", "train", "midi", "system",
        "descriptors",
    },
    "commands": {
        "errors", "paths", "config", "midi", "codecs", "checkpoint", "engine",
        "train", "inspect", "sessions", "stage", "serve", "bench",
    },
    "cli": {"__init__", "errors", "commands", "system"},
    "__main__": {"cli"},
}  # fmt: skip

TENSORS = {"torch", "safetensors"}
TENSOR_ROOMS = {"nets", "engine", "train", "inspect"}
TENSOR_BENCHES = {
    "bench.train",
    "bench.backprop",
    "bench.engine",
    "bench.onnx_peer",
    "bench.steppers",
    "bench.primes",
    "bench.band",
}  # they measure networks
# What the gateway shares with the engine has to do without tensors, too.
TENSORLESS = {"engine.messages", "engine.client", "engine.process", "train.recipe", "train.curves",
              "nets.architecture", "nets.counting", "nets.quantised",
              "nets.stored"}  # fmt: skip

# Protocol code takes data and returns data, and time is passed in. These do the rest.
OUTSIDE = {
    "asyncio": {"pipe", "system", "handover", "midi.client",
                "adapters.osc.socket", "adapters.osc.side", "adapters.osc.targets",
                "adapters.osc.agenda", "adapters.oscquery.server", "adapters.oscquery.listeners",
                "adapters.tempo.ableton_link", "adapters.http.doors", "adapters.http.guard",
                "adapters.http.websocket_door",
                "adapters.http.room",
                "adapters.web.outbox", "adapters.web.websocket", "adapters.midi.side",
                "stage.playout", "supervise", "serve.server", "serve.sides", "serve.signals",
                "serve.engine_ward", "serve.spare", "serve.store", "bench.midi"},
    "socket": {"adapters.osc.targets", "adapters.osc.presence", "adapters.http.host", "pipe",
               "system", "handover", "interfaces", "midi.process", "engine.process", "serve.server",
               "serve.web", "bench.crowd", "bench.osc", "bench.ears"},
    # osc: a timetag is in the time of day, which only the wall clock has.
    "time": {"clock", "midi.process", "midi.rack", "engine.process", "train.loop", "train.counting",
             "adapters.osc.agenda", "bench.restart", "system",
             "bench.serve", "bench.crowd", "bench.osc", "bench.train", "bench.midi",
             "bench.jack_listener", "bench.ears", "bench.engine"},
    # IMPSY's data sets are pickles: see there how no more than arrays come of one.
    "pickle": {"train.touches"},
}  # fmt: skip

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if "bundled" not in path.parts
}


def room(module: str) -> str:
    top, _, inner = module.partition(".")
    return f"{top}.{inner.partition('.')[0]}" if top == "adapters" and inner else top


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(module: str) -> Iterator[tuple[str, bool]]:
    """What a module imports, by dotted name, and whether that is on its top level."""

    def walk(node: ast.AST, top: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if is_type_checking(child):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert not child.level, f"{module}: relative import"
                assert child.module
                for alias in child.names:
                    whole = f"{child.module}.{alias.name}"
                    inside = whole.removeprefix("stream_rnn.")
                    yield (whole if inside in MODULES else child.module), top
            else:
                inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from walk(child, top and not inner)

    yield from walk(ast.parse(MODULES[module].read_text(encoding="utf-8")), True)


def ours(name: str) -> str | None:
    if name == "stream_rnn":
        return "__init__"
    return name.removeprefix("stream_rnn.") if name.startswith("stream_rnn.") else None


def test_every_room_is_in_the_table() -> None:
    assert {room(m) for m in MODULES} <= set(ARROWS)


@pytest.mark.parametrize("module", MODULES)
def test_each_arrow_points_down(module: str) -> None:
    allowed = ARROWS[room(module)] | {room(module)}
    for name, _ in imports(module):
        inside = ours(name)
        if inside is not None:
            assert inside in allowed or room(inside) in allowed, f"{module} imports {name}"


@pytest.mark.parametrize("module", MODULES)
def test_tensors_stay_below_engine_and_train(module: str) -> None:
    for name, top in imports(module):
        if name.partition(".")[0] in TENSORS:
            lazily = module == "checkpoint" and not top
            ours_to_use = room(module) in TENSOR_ROOMS or module in TENSOR_BENCHES
            assert ours_to_use or lazily, f"{module} imports {name}"
            assert module not in TENSORLESS or not top, f"{module} imports {name}"


@pytest.mark.parametrize("outside", OUTSIDE)
def test_sockets_tasks_and_the_time_are_met_in_few_places(outside: str) -> None:
    found = {m for m in MODULES for name, _ in imports(m) if name.partition(".")[0] == outside}
    assert found <= OUTSIDE[outside]


COMMAND_LINE = ("cli", "commands", "__main__")


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) in COMMAND_LINE])
def test_the_command_line_imports_what_it_runs_only_when_it_runs(module: str) -> None:
    at_top = {room(inside) for name, top in imports(module) if top and (inside := ours(name))}
    assert at_top <= {"__init__", "errors", "paths", *COMMAND_LINE}


def loaded_after(statement: str) -> set[str]:
    """The top-level modules that are loaded once a fresh Python has run something."""
    code = f"import sys\n{statement}\nprint(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


def test_the_gateway_never_loads_torch() -> None:
    loaded = loaded_after("import stream_rnn.serve.server")
    assert "uvicorn" in loaded
    assert not loaded & {"torch", "safetensors", "scipy", "matplotlib"}


def test_help_is_instant_for_it_loads_neither_tensors_nor_arrays() -> None:
    for arguments in (["--help"], ["sample", "--help"], ["serve", "--help"]):
        loaded = loaded_after(
            f"from stream_rnn.cli import main\ntry: main({arguments})\nexcept SystemExit: pass"
        )
        assert not loaded & {"torch", "numpy", "msgspec", "uvicorn", "tqdm"}


def test_listing_models_loads_no_torch(models: Path) -> None:
    loaded = loaded_after(
        f"from stream_rnn.cli import main\nmain(['models', '--models', {str(models)!r}])"
    )
    assert "torch" not in loaded


def test_what_is_served_is_loaded_without_torch() -> None:
    loaded = loaded_after(
        "from pathlib import Path\n"
        "from stream_rnn.checkpoint import load_counting, load_quantised, read_card\n"
        "folder = Path('models/star-trek')\n"
        "load_quantised(folder, read_card(folder))\n"
        "folder = Path('models/shakespeare-markov')\n"
        "network = load_counting(folder, read_card(folder))\n"
        "contexts = network.contexts_after(network.zero_state(1)[:, 0], network.zero_state(1))\n"
        "network.logits(contexts)"
    )
    assert "numpy" in loaded and not loaded & TENSORS
