"""The integer kernel's code: compiled for this processor, kept in the user's cache, and loaded.

LLVM makes an object file of a path in some seconds, without a compiler on the machine. It is kept
under a name that says all that it was made from: these files, LLVM, and the processor.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path as File
from typing import Any, NamedTuple

import llvmlite
from llvmlite import binding

from stream_rnn.engine.kernels.paths import Path, has

PARTS = ("kernels/compiling.py", "kernels/emit.py", "kernels/paths.py", "kernels/integer_*.py",
         "numerics/*.py")  # fmt: skip
_ELF_ON_WINDOWS = "-elf"  # the form of object files that LLVM can load there


class Machine(NamedTuple):
    """What is compiled for.

    Attributes:
        features: as LLVM wants to be told: `+avx2,-avx512f`.
    """

    triple: str
    processor: str
    features: str


def here(path: Path) -> Machine:
    """This processor, with as much of it as a path is to use."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    try:
        known = dict(binding.get_host_cpu_features())
    except RuntimeError:
        known = {}
    known |= dict.fromkeys(path.needs, True)
    for name in known:
        known[name] = known[name] and not name.startswith(path.without or ("-",))
    told = ",".join(f"{'+' if there else '-'}{name}" for name, there in sorted(known.items()))
    triple = binding.get_process_triple()
    if sys.platform == "win32" and not triple.endswith(_ELF_ON_WINDOWS):
        triple += _ELF_ON_WINDOWS
    return Machine(triple, binding.get_host_cpu_name(), told)


def target_machine(machine: Machine) -> Any:
    """LLVM's, as its loader wants code."""
    x86 = machine.triple.startswith(("x86", "i686"))
    return binding.Target.from_triple(machine.triple).create_target_machine(
        cpu=machine.processor, features=machine.features, opt=2,
        reloc="static" if x86 else "default", codemodel="jitdefault", jit=True,
    )  # fmt: skip


def compiled(path: Path, machine: Machine) -> bytes:
    """The object file of a path."""
    return bytes(target_machine(machine).emit_object(optimised(path, machine)))


def optimised(path: Path, machine: Machine) -> Any:
    """The code of a path as LLVM's module, optimised."""
    from stream_rnn.engine.kernels.integer_batch import write_module

    code = write_module(path)
    code.triple = machine.triple
    module = binding.parse_assembly(str(code))
    module.verify()
    target = target_machine(machine)
    options = binding.create_pipeline_tuning_options(speed_level=2)
    # What is to be vectors is written as vectors.
    options.loop_vectorization = options.slp_vectorization = False
    builder = binding.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    return module


def cache_folder() -> File | None:
    """Where compiled code is kept, or None where there cannot be such a folder."""
    if sys.platform == "win32":
        root = File(os.environ.get("LOCALAPPDATA", File.home()))
    elif sys.platform == "darwin":
        root = File.home() / "Library" / "Caches"
    else:
        root = File(os.environ.get("XDG_CACHE_HOME", File.home() / ".cache"))
    folder = root / "stream-rnn"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


def kept_as(path: Path, machine: Machine) -> str:
    """The name under which the code of a path is kept."""
    engine = File(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(file for part in PARTS for file in engine.glob(part)):
        digest.update(file.read_bytes())
    digest.update(repr((machine, llvmlite.__version__, platform.python_implementation())).encode())
    return f"{path.name}-{digest.hexdigest()[:20]}.o"


def is_cached(path: Path) -> bool:
    """Whether the code of a path is kept."""
    folder = cache_folder()
    return folder is not None and (folder / kept_as(path, here(path))).exists()


def object_file(path: Path) -> bytes:
    """The object file of a path for this processor, from the cache or made now."""
    machine, folder = here(path), cache_folder()
    place = folder and folder / kept_as(path, machine)
    if place and (found := _read(place)):
        return found
    made = compiled(path, machine)
    if place:
        _write(place, made)
    return made


def _read(place: File) -> bytes | None:
    """What is kept, if it is whole: behind its digest."""
    try:
        data = place.read_bytes()
    except OSError:
        return None
    return data[32:] if hashlib.sha256(data[32:]).digest() == data[:32] else None


def _write(place: File, data: bytes) -> None:
    """Keeps it, if that is possible; another process may do the same at once."""
    with contextlib.suppress(OSError):
        handle, name = tempfile.mkstemp(dir=place.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(data).digest() + data)
        os.replace(name, place)


class Loaded(NamedTuple):
    """Code in memory; see `integer_batch.write_module`.

    Attributes:
        advance: the function, which gives the interpreter's lock away while it runs.
        kept: what keeps it there.
    """

    advance: Callable[..., None]
    kept: Any


@cache
def loaded(path: Path) -> Loaded:
    """The code of a path that this processor has, ready to run."""
    if not has(path):
        raise RuntimeError(f"this processor does not have what {path.name} needs")
    return load(object_file(path), here(path))


def load(data: bytes, machine: Machine) -> Loaded:
    """The code of an object file."""
    empty = binding.parse_assembly("")
    empty.triple = machine.triple
    engine = binding.create_mcjit_compiler(empty, target_machine(machine))
    engine.add_object_file(binding.ObjectFileRef.from_data(data))
    engine.finalize_object()
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    return Loaded(kind(engine.get_function_address("advance")), engine)
