"""Paths for other processors than this one compile, and to the instructions that are meant."""

from __future__ import annotations

import re

import pytest
from llvmlite import binding
from whole import WRITTEN, golden, written_kind

from stream_rnn.engine.kernels import compiling, integer, paths
from stream_rnn.engine.kernels.compiling import Machine, compiled, here, load, optimised
from stream_rnn.engine.kernels.integer import IntegerKernel
from stream_rnn.engine.kernels.paths import PATHS, Path

ALDER_LAKE = Machine("x86_64-unknown-linux-gnu", "alderlake", "")  # AVX-VNNI and no AVX-512
HASWELL = Machine("x86_64-unknown-linux-gnu", "haswell", "")
ARM = Machine("aarch64-unknown-linux-gnu", "neoverse-n1", "+dotprod")
OLD_ARM = Machine("aarch64-unknown-linux-gnu", "cortex-a72", "")
APPLE = Machine("arm64-apple-darwin", "apple-m1", "")
TILES = Machine("x86_64-unknown-linux-gnu", "sapphirerapids", "")
ZEN_4 = Machine("x86_64-unknown-linux-gnu", "znver4", "")


def assembly(path: Path, machine: Machine) -> str:
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    return str(compiling.target_machine(machine).emit_assembly(optimised(path, machine)))


@pytest.mark.parametrize(
    ("name", "machine", "instruction", "without"),
    [
        ("amx", TILES, "tdpbusd", "pmaddubsw|vfmadd"),
        ("avx512-vnni", ZEN_4, r"vpdpbusd\s.*zmm", "tdpbusd|pmaddubsw|vfmadd"),
        ("avx-vnni", ALDER_LAKE, r"\{vex\}\s+vpdpbusd", r"zmm|%k[0-7]|[xy]mm(1[6-9]|2\d|3[01])"),
        ("avx2", HASWELL, "vpmaddwd", "vpdpbusd|pmaddubsw|vfmadd|zmm"),
        ("sdot", ARM, r"sdot\s", r"fml[as]\s|fn?madd"),
        ("sdot", APPLE, r"sdot[.\s]", r"fml[as][.\s]|fn?madd"),
        ("plain", OLD_ARM, "smlal|mla|smull", r"sdot|fml[as]\s|fn?madd"),
    ],
)
def test_the_instructions_are_those_of_the_path(
    name: str, machine: Machine, instruction: str, without: str
) -> None:
    text = assembly(PATHS[name], machine)
    assert re.search(instruction, text) and not re.search(without, text)


def test_here_a_path_leaves_out_what_others_have(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = {"avx2": True, "avx512f": True, "avxvnni": True, "amx-int8": True, "sse2": False}
    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: everything)
    told = here(PATHS["avx-vnni"]).features.split(",")
    assert set(told) == {"+avx2", "-avx512f", "+avxvnni", "-amx-int8", "-sse2"}


def test_where_llvm_cannot_ask_there_are_plain_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> dict[str, bool]:
        raise RuntimeError("unknown")

    monkeypatch.setattr(binding, "get_host_cpu_features", unknown)
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    paths.features.cache_clear()
    try:
        assert [name for name, path in PATHS.items() if paths.has(path)] == ["plain"]
    finally:
        paths.features.cache_clear()


@pytest.mark.skipif("x86" not in binding.get_process_triple(), reason="of another processor")
@pytest.mark.parametrize("name", ["lstm", "nade"])
def test_the_first_x86_gives_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Machine(binding.get_process_triple(), "x86-64", "")
    here(PATHS["plain"])  # makes LLVM ready
    code = load(compiled(PATHS["plain"], first), first)
    monkeypatch.setattr(integer, "loaded", lambda _: code)
    assert golden(IntegerKernel(written_kind(name), PATHS["plain"]), 300) == WRITTEN[name]
