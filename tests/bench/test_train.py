import torch

from stream_rnn.bench.train import bench_train, describe
from stream_rnn.nets.cells import CELLS


def test_every_cell_is_measured_beside_the_lstm() -> None:
    threads = torch.get_num_threads()
    result = bench_train(hidden=16, layers=2, repeats=1)
    assert result["ratios"].keys() == result["symbols_per_second"].keys() == CELLS.keys()
    assert result["ratios"]["lstm"] == 1
    assert min(result["symbols_per_second"].values()) > 0
    assert torch.get_num_threads() == threads
    assert "mi-lstm" in describe(result)
