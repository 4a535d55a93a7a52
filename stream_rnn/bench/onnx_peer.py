"""Steps a network with ONNX Runtime (extra `stream-rnn[bench]`), in float32 and in 8 bits.

As fast as it does that here: the first layer's inputs are looked up (`Gather`) rather than
multiplied, and the layers above are its own `LSTM`.
"""

from __future__ import annotations

import importlib
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stream_rnn.nets.network import RecurrentNetwork

MISSING = "ONNX Runtime is not measured: it is not installed (pip install 'stream-rnn[bench]')"
OPSET, IR = 17, 9


def onnx_steppers(
    network: RecurrentNetwork, rows: int
) -> tuple[dict[str, Callable[[], None]], str]:
    """Functions that step `rows` rows once, by name; if there are none, the reason."""
    try:
        onnx = importlib.import_module("onnx")
        runtime = importlib.import_module("onnxruntime")
        quantization = importlib.import_module("onnxruntime.quantization")
    except ImportError:
        return {}, MISSING
    with tempfile.TemporaryDirectory() as folder:
        exact, small = Path(folder) / "exact.onnx", Path(folder) / "small.onnx"
        onnx.save(_graph(onnx, network), exact)
        logging.disable(logging.WARNING)  # it advises to preprocess the graph, which does not help
        try:
            quantization.quantize_dynamic(exact, small, weight_type=quantization.QuantType.QInt8)
        finally:
            logging.disable(logging.NOTSET)
        return {
            "onnx_float32": OnnxStepper(runtime, exact, network, rows).step,
            "onnx_int8": OnnxStepper(runtime, small, network, rows).step,
        }, ""


class OnnxStepper:
    """Steps with the same input symbol every time: it draws none.

    Attributes:
        logits: those of the last step, `[rows, symbols]`.
    """

    def __init__(self, runtime: Any, path: Path, network: RecurrentNetwork, rows: int) -> None:
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = runtime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        inputs = self._session.get_inputs()
        self._names = [value.name for value in inputs]
        self.logits = np.zeros((rows, network.architecture.symbols), np.float32)
        states = [
            np.zeros([rows if size == "rows" else size for size in value.shape], np.float32)
            for value in inputs[1:]
        ]
        self._inputs = [np.ones(rows, np.int64), *states]

    def step(self) -> None:
        """Makes one more step."""
        feed = dict(zip(self._names, self._inputs, strict=True))
        self.logits, *self._inputs[1:] = self._session.run(None, feed)


def _graph(onnx: Any, network: RecurrentNetwork) -> Any:
    """The network in ONNX: a symbol and the layers' states in, logits and states out."""
    a, helper = network.architecture, onnx.helper
    nodes: list[Any] = []
    constants: list[Any] = []
    inputs: list[Any] = []
    outputs: list[Any] = []

    def constant(name: str, value: Tensor) -> str:
        array = value.detach().contiguous().numpy()
        constants.append(onnx.numpy_helper.from_array(array, name))
        return name

    def node(kind: str, given: str, made: str, **how: Any) -> None:
        nodes.append(helper.make_node(kind, given.split(" "), made.split(" "), **how))

    def states(layer: int, *shape: Any) -> None:
        for kind in "hc":
            for name, to in ((f"{kind}{layer}", inputs), (f"{kind}{layer}_", outputs)):
                to.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))

    inputs.append(helper.make_tensor_value_info("symbol", onnx.TensorProto.INT64, ["rows"]))
    outputs.append(
        helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["rows", a.symbols])
    )
    weights, recurrent, bias, _ = network.layer_weights(0)  # [inputs, gates] and so on
    constant("table", weights + bias)
    constant("R0", recurrent)
    constant("sizes", torch.full((4,), a.hidden))
    states(0, "rows", a.hidden)
    node("Gather", "table symbol", "given", axis=0)
    node("MatMul", "h0 R0", "own")
    node("Add", "own given", "gates")
    node("Split", "gates sizes", "enter forget candidate leave", axis=1)
    for gate in ("enter", "forget", "leave"):
        node("Sigmoid", gate, f"{gate}_")
    node("Tanh", "candidate", "candidate_")
    node("Mul", "forget_ c0", "kept")
    node("Mul", "enter_ candidate_", "new")
    node("Add", "kept new", "c0_")
    node("Tanh", "c0_", "shown")
    node("Mul", "leave_ shown", "h0_")
    constant("time", torch.tensor([0]))
    constant("time_and_directions", torch.tensor([0, 1]))
    below = "h0_"
    for layer in range(1, a.layers):
        weights, recurrent, bias, _ = network.layer_weights(layer)
        constant(f"W{layer}", _gates(weights.t())[None])
        constant(f"R{layer}", _gates(recurrent.t())[None])
        constant(f"B{layer}", torch.cat([_gates(bias), torch.zeros_like(bias)])[None])
        states(layer, 1, "rows", a.hidden)
        node("Unsqueeze", f"{below} time", f"x{layer}")
        given = f"x{layer} W{layer} R{layer} B{layer}  h{layer} c{layer}"  # none is a length
        node("LSTM", given, f"y{layer} h{layer}_ c{layer}_", hidden_size=a.hidden)
        node("Squeeze", f"y{layer} time_and_directions", f"last{layer}")
        below = f"last{layer}"
    constant("head", network.output.weight.t())
    constant("shift", network.output.bias)
    node("MatMul", f"{below} head", "sums")
    node("Add", "sums shift", "logits")
    graph = helper.make_graph(nodes, "step", inputs, outputs, constants)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR)


def _gates(blocks: Tensor) -> Tensor:
    """Puts gates into ONNX's order: input, output, forget, candidate.

    Torch has them as input, forget, candidate, output.
    """
    enter, forget, candidate, leave = blocks.chunk(4)
    return torch.cat([enter, leave, forget, candidate])
