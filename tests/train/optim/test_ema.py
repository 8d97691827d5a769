import torch
from torch import nn

from fusedet.train.optim.ema import ModelEma


def test_average_by_hand():
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    ema = ModelEma(net, decay=0.2)
    average = 0.0
    for step, value in enumerate([1.0, 3.0, 2.0], 1):
        nn.init.constant_(net.weight, value)
        ema.update(net)
        keep = {1: 2 / 11, 2: 0.2, 3: 0.2}[step]  # (1 + 1) / (10 + 1), then the decay
        average = keep * average + (1 - keep) * value
        torch.testing.assert_close(ema.net.weight, torch.tensor([[average]]))


def test_statistics_are_averaged_and_counters_copied():
    net = nn.BatchNorm1d(2)
    ema = ModelEma(net, decay=0.9)
    net(torch.randn(8, 2) + 5)
    ema.update(net)
    assert ema.net.num_batches_tracked == 1
    assert (ema.net.running_mean > 0).all()
    assert not ema.net.weight.requires_grad
