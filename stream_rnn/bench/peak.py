# mypy: ignore-errors
# LLVM's builder has no types.
"""How many products of 8 bits a path can make here: its instruction, and nothing else."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
from llvmlite import binding, ir

from stream_rnn.engine.kernels.compiling import here, target_machine
from stream_rnn.engine.kernels.emit import write
from stream_rnn.engine.kernels.integer_packing import TILE, aligned, tile_shapes
from stream_rnn.engine.kernels.integer_products import add_products
from stream_rnn.engine.kernels.paths import Path, has

TURNS = 20_000  # of the loop in a run: at most half a millisecond


class Peak:
    """Multiplies what is in registers.

    Attributes:
        products: multiply-adds of a run.
    """

    def __init__(self, path: Path) -> None:
        if not has(path):
            raise ValueError(f"this processor does not have {path.name}")
        self._shapes, self._sums = tile_shapes(), aligned(np.ones(64 * path.lanes, np.int32))
        if path.tiles:
            self.products = TURNS * 4 * TILE * TILE * 4 * TILE
        else:
            self.products = TURNS * path.rows * path.width * path.group
        module, machine = ir.Module("peak"), here(path)
        (_write_tiles if path.tiles else _write_vectors)(module, path)
        module.triple = machine.triple
        parsed, target = binding.parse_assembly(str(module)), target_machine(machine)
        options = binding.create_pipeline_tuning_options(speed_level=2)
        builder = binding.create_pass_builder(target, options)
        builder.getModulePassManager().run(parsed, builder)
        self._kept = engine = binding.create_mcjit_compiler(parsed, target)
        engine.finalize_object()
        kind = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
        self._run: Callable[..., None] = kind(engine.get_function_address("run"))

    def run(self) -> None:
        """Makes the products once."""
        self._run(TURNS, self._shapes.ctypes.data, self._sums.ctypes.data)


def _write_vectors(module, path):
    lanes = path.lanes

    @write(module, "run", [np.int64, [np.uint8], [np.int32]], outside=True)
    def run(code, turns, _, sums):
        totals = [
            code.variable(sums.vector(i * lanes, lanes)) for i in range(path.rows * path.vectors)
        ]
        states = weights = sums.vector(0, lanes)
        if path.states is np.int8:
            states = weights = states.view(np.int8)
        with code.loop(turns):
            for total in totals:
                now = total.now
                if path.group == 2:  # else the product would be made once, before the loop
                    states, weights = now.view(np.int16), sums.vector(0, lanes).view(np.int16)
                elif path.group == 1:
                    states = now
                total.now = add_products(path, now, states, weights)
        for i, total in enumerate(totals):
            sums.put(i * lanes, total.now)


def _write_tiles(module, path):
    byte, void = ir.IntType(8), ir.VoidType()

    @write(module, "run", [np.int64, [np.uint8], [np.int32]], outside=True)
    def run(code, turns, shapes, _):
        code.instruction("x86.ldtilecfg", void, [shapes.pointer])
        for tile in range(8):
            code.instruction("x86.tilezero", void, [byte(tile)])
        with code.loop(turns):
            for sums in range(4):
                tiles = (sums, 4 + sums // 2, 6 + sums % 2)
                code.instruction("x86.tdpbusd", void, [byte(tile) for tile in tiles])
        code.instruction("x86.tilerelease", void, [])
