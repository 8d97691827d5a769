"""BatchNorm over the whole batch when several processes share it.

``torch.nn.SyncBatchNorm`` does so on GPUs only; :class:`SyncedBatchNorm` does it wherever processes can talk, the CPU
included, with one exchange forward and one backward. Both are a BatchNorm2d in what they keep, so that a checkpoint
does not tell by how many processes it was written. The averaged weights (EMA) keep plain norms.
"""

from typing import Any

import torch
from torch import Tensor, distributed, nn

from fusedet.train.devices.collectives import world_size


def synchronise_norms(net: nn.Module, device: torch.device) -> None:
    """Makes every BatchNorm2d in ``net`` one whose statistics are those of all processes, in place."""
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(net)
        return
    for module in net.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SyncedBatchNorm  # which keeps the same, and only computes it otherwise


class SyncedBatchNorm(nn.BatchNorm2d):
    """A BatchNorm2d that normalises ``[B, C, H, W]`` by mean and variance over the batches of all processes."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if not self.training or world_size() == 1:
            return super().forward(x)
        normal, mean, variance, count = _Normalise.apply(x, self.weight, self.bias, self.eps)
        with torch.no_grad():
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            assert self.running_mean is not None
            assert self.running_var is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        result: Tensor = normal
        return result


class _Normalise(torch.autograd.Function):
    """Ioffe and Szegedy, 2015, with the batch spread over processes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        own_variance, own_mean = torch.var_mean(exact, (0, 2, 3), correction=0)
        own_count = exact.new_tensor([exact.numel() // len(own_mean)])
        own = torch.cat((own_mean, own_variance, own_count))
        all_ranks = [torch.empty_like(own) for _ in range(world_size())]
        distributed.all_gather(all_ranks, own)
        means, variances, counts = torch.stack(all_ranks).split([len(own_mean), len(own_mean), 1], 1)  # [ranks, C]
        count = counts.sum()
        mean = (counts * means).sum(0) / count
        # The variance of parts and the variance between parts (Chan et al., 1979).
        variance = (counts * (variances + (means - mean).square())).sum(0) / count
        scale = torch.rsqrt(variance + eps)
        ctx.save_for_backward(x, mean, scale, weight, count)
        factor = scale * weight
        normal = exact * _wide(factor) + _wide(bias - mean * factor)
        ctx.mark_non_differentiable(mean, variance, count)
        return normal.to(x.dtype), mean, variance, count

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, scale, weight, count = ctx.saved_tensors
        grad = grads[0].to(scale.dtype)
        normal = (x.to(scale.dtype) - _wide(mean)) * _wide(scale)
        own = torch.stack((grad.sum((0, 2, 3)), (grad * normal).sum((0, 2, 3))))
        total = own.clone()
        distributed.all_reduce(total)
        by_mean, by_scale = (total / count).unbind()
        back = (grad - _wide(by_mean) - normal * _wide(by_scale)) * _wide(scale * weight)
        return back.to(x.dtype), own[1], own[0], None


def _wide(values: Tensor) -> Tensor:
    """``[C]`` as it is spread over ``[B, C, H, W]``."""
    return values[None, :, None, None]
