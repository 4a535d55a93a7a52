"""Each module has a test file of its own, where its own room has it in tests/, or a reason here."""

from pathlib import Path

ROOT = Path(__file__).parents[1]

# Modules that are tried through the door behind which they stand: test file -> modules.
THROUGH = {
    "adapters/http/test_doors.py": "adapters/http: line reading room websocket_door",
    "adapters/midi/test_input.py": "adapters/midi: keyboard turns",
    "adapters/midi/test_knobs.py": "adapters/midi: faders learning learnt pads",
    "adapters/osc/test_socket.py":
        "adapters/osc: desk door faders options past peer peers refusals subscriptions",
    "adapters/osc/test_targets.py": "adapters/osc: voices",
    "adapters/oscquery/test_server.py":
        "adapters/http: host; adapters/oscquery: announce listeners",
    "adapters/web/test_http.py": "adapters/web: app metrics",
    "bench/test_engine.py": "bench: onnx_peer peak steppers",
    "bench/test_midi.py": "bench: ears",
    "codecs/test_abc.py": "codecs: abc_fields abc_notes abc_text bars",
    "codecs/test_registry.py": "codecs: base",
    "codecs/test_rows.py": "codecs: ensemble touch",
    "engine/kernels/test_cuda.py":
        "engine/kernels: cuda_batch cuda_cells cuda_draw cuda_functions cuda_network cuda_sums "
        "cuda_trial",
    "engine/kernels/test_integer.py":
        "engine/kernels: integer_batch integer_cells integer_draw integer_fields "
        "integer_packing integer_products",
    "engine/kernels/test_reference.py":
        "engine/kernels: stepped; engine/numerics: cells states",
    "engine/test_slots.py": "engine: credit states steering",
    "inspect/test_pictures.py": "inspect: lines maps",
    "midi/test_process.py": "midi: client jack_watch messages rack",
    "nets/test_network.py": "nets: architecture cells",
    "sessions/test_store.py": "sessions: notes",
    "store/test_folder.py":
        "store: database recent salvage writer; stage: keeping returning",
    "integration/test_lasting.py": "serve: store",
    "serve/test_signals.py": "serve: engine_ward",
    "sessions/test_controls.py": ": control_values; codecs: scales",
    "sessions/test_session.py": "sessions: flow",
    "sessions/test_timeline.py": "sessions: spelling",
    "sound/test_voice.py": "sound: symbols",
    "stage/test_forks.py": "stage: opening",
    "stage/test_idleness.py": "stage: limits roster",
    "stage/test_stage.py": "stage: commits events lifecycle replay subscribers",
    "test_card.py": ": schema",
    "test_checkpoint.py": ": model_files",
    "test_cli.py": ": paths; commands: arguments bench inspect runs sample score serve train",
    "train/test_counting.py": "engine: offline preview",
    "train/test_data.py":
        "train: augment corpus feed folk split texts",
    "train/test_loop.py": "train: resume start windows",
    "train/test_measures.py": "train: tables",
    "train/test_rows.py": "train: touches",
    "wire/test_access.py": "wire: hosts",
    "wire/test_osc_requests.py": "wire: control_words learning osc_faders osc_values",
    # Processes, and what only a real program or device answers.
    "integration/test_server.py":
        "engine: process; serve: options server sides web; stage: playout",
    "peers/test_bindings.py": "midi: python_rtmidi supriya",
    "peers/test_link.py": "adapters/tempo: ableton_link",
    "peers/test_midi.py": "bench: jack_listener",
}  # fmt: skip

# What there is nothing in to try.
BARE = {
    "__init__", "__main__", "errors", "clock",  # names, and the clocks that every test uses
    "engine/kernels/protocol",  # a protocol, which the types are checked against
    "bench/band",  # prints a table that a person reads
}  # fmt: skip


def tried_elsewhere() -> list[tuple[str, str]]:
    """(module, test file) of each line above."""
    found = []
    for test, rooms in THROUGH.items():
        for part in rooms.split(";"):
            room, _, names = part.strip().partition(": " if not part.startswith(":") else ":")
            found += [(f"{room}/{name}".removeprefix("/"), test) for name in names.split()]
    return found


def own(module: str) -> Path:
    """Where a module's own test file stands."""
    path = ROOT / "tests" / module
    return path.with_name(f"test_{path.name}.py")


def test_each_module_has_a_test_file_of_its_own_or_a_reason() -> None:
    package = ROOT / "stream_rnn"
    modules = {
        str(path.relative_to(package).with_suffix(""))
        for path in package.rglob("*.py")
        if path.name != "__init__.py"
    }
    elsewhere = {module for module, _ in tried_elsewhere()}
    assert modules - {m for m in modules if own(m).exists()} - BARE == elsewhere
    for module, test in tried_elsewhere():
        assert (ROOT / "tests" / test).exists(), f"{module}: there is no tests/{test}"
