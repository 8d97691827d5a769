"""Muon: steps along the orthogonalised momentum of each kernel."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

#: Quintic iteration towards singular values of 1, tuned for speed: it ends between 0.7 and 1.2 (Jordan et al., 2024).
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
#: Root mean square of AdamW's usual step over its learning rate; the same learning rate then serves both
#: ("Muon is Scalable for LLM Training": Liu et al., 2025, section 2.2).
_ADAMW_STEP = 0.2


class Muon(torch.optim.Optimizer):
    """Muon for kernels (Jordan et al., 2024), AdamW (Loshchilov and Hutter, 2019) for what is no matrix.

    A kernel ``[outputs, inputs, h, w]`` is a matrix of ``outputs`` rows. Its momentum is replaced by the nearest
    matrix whose singular values are all alike, so that directions that few images ask for are learned as fast as
    the common ones. Parameter groups have the flag ``orthogonal``: Muon's, with Nesterov's look ahead, else AdamW's.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "betas": betas, "eps": 1e-8, "weight_decay": 0.0}
        super().__init__(params, defaults | {"orthogonal": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step from the gradients; ``closure``, where given, computes them and returns the loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            pairs = [(p, p.grad) for p in group["params"] if p.grad is not None]
            if not pairs:
                continue
            params, grads = [p for p, _ in pairs], [grad for _, grad in pairs]
            torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
            if group["orthogonal"]:
                self._muon(group, params, grads)
            else:
                self._adamw(group, params, grads)
        return loss

    def _muon(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        for p in params:
            if not self.state[p]:
                self.state[p]["momentum"] = torch.zeros_like(p)
        averages = [self.state[p]["momentum"] for p in params]
        torch._foreach_lerp_(averages, grads, 1 - group["momentum"])
        ahead = torch._foreach_lerp(grads, averages, group["momentum"])
        alike: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, p in enumerate(params):
            alike[p.shape[0], p[0].numel()].append(index)
        for (rows, columns), indices in alike.items():  # all matrices of one shape at once: fewer, larger products
            matrices = torch.stack([ahead[index].reshape(rows, columns) for index in indices])
            size = _ADAMW_STEP * max(rows, columns) ** 0.5
            for index, matrix in zip(indices, orthogonalised(matrices), strict=True):
                params[index].sub_(matrix.view(params[index].shape), alpha=group["lr"] * size)

    def _adamw(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        for p in params:
            if not self.state[p]:
                self.state[p] |= {"step": 0, "mean": torch.zeros_like(p), "square": torch.zeros_like(p)}
        states = [self.state[p] for p in params]
        means, squares = [s["mean"] for s in states], [s["square"] for s in states]
        for s in states:
            s["step"] += 1
        first, second = group["betas"]
        torch._foreach_lerp_(means, grads, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, grads, grads, 1 - second)
        steps = [s["step"] for s in states]
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, [(1 - second**n) ** 0.5 for n in steps])
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_addcdiv_(params, means, roots, [-group["lr"] / (1 - first**n) for n in steps])


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices ``[N, rows, columns]`` with all singular values brought near to 1, the singular vectors kept.

    By Newton-Schulz iteration: they end between 0.7 and 1.2, those of a matrix of zeros stay 0.
    """
    a, b, c = _COEFFICIENTS
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.transpose(1, 2)  # the products are as large as the shorter side
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        gram = torch.bmm(x, x.transpose(1, 2))
        # a x + (b gram + c gram gram) x, the sums within the products: no maps of their own for each term
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide else x.transpose(1, 2)
