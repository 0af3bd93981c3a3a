"""Makes inputs and writes golden values: what the scripts of all groups of losses share.

Everything is computed in float64. Inputs come from Python's own generator and are multiples of 1/64, which float32
holds exactly. A mask holds whole numbers: a position of weight w is repeated w times before a formula sees it, and one
of weight 0 is taken out, so no formula here knows of masks.
"""

import json
import platform
import random
import sys

import torch


class Golden:
    def __init__(self, script, seed):
        self.rng = random.Random(seed)
        self.groups = []
        self.made_by = {"script": script, "torch": torch.__version__, "python": platform.python_version(), "seed": seed, "dtype": "float64"}

    def draw(self, shape, spread):
        n = torch.Size(shape).numel()
        return torch.tensor([round(self.rng.gauss(0, spread) * 64) / 64 for _ in range(n)], dtype=torch.float64).reshape(shape)

    def whole(self, shape, low, high):
        n = torch.Size(shape).numel()
        return torch.tensor([self.rng.randint(low, high) for _ in range(n)], dtype=torch.int64).reshape(shape)

    def group(self, name, **tensors):
        inputs = {key: {"shape": list(t.shape), "values": numbers(t)} for key, t in tensors.items() if t is not None}
        self.groups.append({"name": name, "inputs": inputs, "cases": []})
        return self.groups[-1]["cases"]

    def print(self):
        json.dump({"made_by": self.made_by, "groups": self.groups}, sys.stdout)
        print()


def numbers(t):
    if t.dtype == torch.int64:
        return t.reshape(-1).tolist()
    return [float(f"{v:.12g}") for v in t.detach().reshape(-1).tolist()]


def result(student, f):
    """Value of f at the student, and the gradient there."""
    s = student.clone().requires_grad_(True)
    value = f(s)
    (grad,) = torch.autograd.grad(value, s)
    assert torch.isfinite(value) and torch.isfinite(grad).all()
    return {"value": float(f"{float(value.detach()):.12g}"), "grad": numbers(grad)}


def copies(t, weight):
    """[batch, channel, ...spatial] as rows [position, channel], each repeated as often as its weight says."""
    return t.movedim(1, -1).reshape(-1, t.shape[1]).repeat_interleave(weight.reshape(-1), 0)
