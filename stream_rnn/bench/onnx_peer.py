"""Steps a network with ONNX Runtime (extra `stream-rnn[bench]`), in float32 and in 8 bits."""

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
            "onnx": OnnxStepper(runtime, exact, network, rows).step,
            "onnx_int8": OnnxStepper(runtime, small, network, rows).step,
        }, ""


class OnnxStepper:
    """Steps with the same input symbol every time: it draws none.

    Attributes:
        logits: those of the last step, `[rows, symbols]`.
    """

    def __init__(self, runtime: Any, path: Path, network: RecurrentNetwork, rows: int) -> None:
        a = network.architecture
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = runtime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        self._names = [value.name for value in self._session.get_inputs()]
        self.logits = np.zeros((rows, a.symbols), np.float32)
        one_hot = np.zeros((1, rows, a.symbols), np.float32)
        one_hot[:, :, 1] = 1
        self._inputs = [one_hot, *(np.zeros((1, rows, a.hidden), np.float32),) * (2 * a.layers)]

    def step(self) -> None:
        """Makes one more step."""
        feed = dict(zip(self._names, self._inputs, strict=True))
        self.logits, *self._inputs[1:] = self._session.run(None, feed)


def _graph(onnx: Any, network: RecurrentNetwork) -> Any:
    """The network in ONNX: a one-hot symbol and the layers' states in, logits and states out."""
    a, helper = network.architecture, onnx.helper
    nodes, constants, inputs, outputs = [], [], [], []

    def constant(name: str, value: Tensor) -> str:
        array = value.detach().contiguous().numpy()
        constants.append(onnx.numpy_helper.from_array(array, name))
        return name

    def value(name: str, *shape: Any) -> Any:
        return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

    inputs.append(value("symbol", 1, "rows", a.symbols))
    outputs.append(value("logits", "rows", a.symbols))
    below = "symbol"
    axis = onnx.numpy_helper.from_array(np.array([1]), "directions")
    top = onnx.numpy_helper.from_array(np.array([0]), "time")
    constants += [axis, top]
    for layer in range(a.layers):
        weights, recurrent, bias, _ = network.layer_weights(layer)  # [inputs, gates] and so on
        names = [
            constant(f"W{layer}", _gates(weights.t())[None]),
            constant(f"R{layer}", _gates(recurrent.t())[None]),
            constant(f"B{layer}", torch.cat([_gates(bias), torch.zeros_like(bias)])[None]),
        ]
        inputs += [value(f"{s}{layer}", 1, "rows", a.hidden) for s in "hc"]
        outputs += [value(f"{s}{layer}_", 1, "rows", a.hidden) for s in "hc"]
        states = [f"h{layer}", f"c{layer}"]
        nodes.append(helper.make_node(
            "LSTM", [below, *names, "", *states], [f"y{layer}", f"h{layer}_", f"c{layer}_"],
            hidden_size=a.hidden,
        ))  # fmt: skip
        nodes.append(helper.make_node("Squeeze", [f"y{layer}", "directions"], [f"x{layer}"]))
        below = f"x{layer}"
    head = constant("head", network.output.weight.t())
    shift = constant("shift", network.output.bias)
    nodes += [
        helper.make_node("Squeeze", [below, "time"], ["last"]),
        helper.make_node("MatMul", ["last", head], ["sums"]),
        helper.make_node("Add", ["sums", shift], ["logits"]),
    ]
    graph = helper.make_graph(nodes, "step", inputs, outputs, constants)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR)


def _gates(blocks: Tensor) -> Tensor:
    """Puts gates into ONNX's order: input, output, forget, candidate.

    Torch has them as input, forget, candidate, output.
    """
    enter, forget, candidate, leave = blocks.chunk(4)
    return torch.cat([enter, leave, forget, candidate])
