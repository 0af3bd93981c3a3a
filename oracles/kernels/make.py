"""Makes the golden values of kd-kernels with PyTorch.

Run from the repository root: python3 oracles/kernels/make.py > crates/kd-kernels/tests/oracle/operators.json

Everything is computed in float64, values and gradients of a weighted sum of the output. Inputs come from Python's own
generator (seed in the file) and are multiples of 1/64, which float32 holds exactly.
"""

import json
import platform
import random
import sys

import torch
import torch.nn.functional as F

rng = random.Random(20251123)


def draw(*shape):
    n = 1
    for size in shape:
        n *= size
    return torch.tensor([rng.randrange(-64, 65) / 64 for _ in range(n)], dtype=torch.float64).reshape(shape)


def flat(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().reshape(-1).tolist()]


def case(function, operands, **facts):
    """Output and gradients by every operand."""
    operands = {name: value.requires_grad_(True) for name, value in operands.items()}
    output = function(**operands)
    weights = draw(*output.shape)
    gradients = torch.autograd.grad((output * weights).sum(), list(operands.values()))
    return {
        **facts,
        "operands": {name: {"shape": list(value.shape), "values": flat(value)} for name, value in operands.items()},
        "weights": flat(weights),
        "output": {"shape": list(output.shape), "values": flat(output)},
        "gradients": {name: flat(gradient) for name, gradient in zip(operands, gradients)},
    }


def convolution(batch, channels, points, kernel, stride=1, padding=0, dilation=1, groups=1):
    layer = F.conv2d if len(points) == 2 else F.conv3d
    operands = {
        "input": draw(batch, channels[0], *points),
        "weight": draw(channels[1], channels[0] // groups, *kernel),
        "bias": draw(channels[1]),
    }
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return case(lambda input, weight, bias: layer(input, weight, bias, **options), operands, **options)


def norm(kind, batch, channels, points, slope, groups=None):
    operands = {"input": draw(batch, channels, *points), "gamma": draw(channels), "beta": draw(channels)}

    def function(input, gamma, beta):
        if kind == "batch":
            output = F.batch_norm(input, None, None, gamma, beta, True, 0.0, 1e-3)
        elif kind == "instance":
            output = F.instance_norm(input, None, None, gamma, beta, eps=1e-3)
        else:
            output = F.group_norm(input, groups, gamma, beta, 1e-3)
        return F.leaky_relu(output, slope)

    return case(function, operands, kind=kind, groups=groups, slope=slope, epsilon=1e-3)


def pooling(points, kernel, stride, padding):
    layer = F.max_pool2d if len(points) == 2 else F.max_pool3d
    operands = {"input": draw(2, 3, *points)}
    return case(lambda input: layer(input, kernel, stride, padding), operands, kernel=kernel, stride=stride, padding=padding)


def doubling(points, linear):
    mode = {(2, False): "nearest", (3, False): "nearest", (2, True): "bilinear", (3, True): "trilinear"}[len(points), linear]
    corners = {"align_corners": False} if linear else {}
    operands = {"input": draw(2, 2, *points)}
    return case(lambda input: F.interpolate(input, scale_factor=2.0, mode=mode, **corners), operands, linear=linear)


document = {
    "made_by": "oracles/kernels/make.py",
    "versions": {"python": platform.python_version(), "torch": torch.__version__},
    "convolutions": [
        convolution(2, (3, 4), (6, 5), (3, 3), padding=1),
        convolution(2, (4, 6), (7, 8), (3, 3), stride=2, padding=1, groups=2),
        convolution(1, (5, 5), (6, 6), (3, 3), padding=2, dilation=2, groups=5),
        convolution(3, (6, 9), (4, 4), (1, 1)),
        convolution(2, (3, 2), (7, 6), (1, 1), stride=2),
        convolution(1, (2, 3), (9, 7), (2, 4), stride=3),
        convolution(2, (2, 3), (3, 4, 5), (3, 3, 3), padding=1),
        convolution(1, (4, 4), (4, 5, 6), (2, 3, 3), stride=2, padding=1, groups=4),
        convolution(1, (1, 1), (1, 1), (1, 1)),
    ],
    "norms": [
        norm("batch", 3, 4, (3, 5), 1.0),
        norm("batch", 2, 3, (2, 3, 4), 0.0),
        norm("instance", 2, 3, (4, 5), 0.01),
        norm("group", 2, 6, (3, 4), 0.0, groups=3),
    ],
    "poolings": [pooling((6, 8), 2, 2, 0), pooling((7, 5), 3, 2, 1), pooling((4, 6, 4), 2, 2, 0), pooling((5, 4, 6), 3, 2, 1)],
    "doublings": [doubling((3, 4), False), doubling((3, 4), True), doubling((2, 3, 4), False), doubling((2, 3, 2), True)],
}
json.dump(document, sys.stdout, separators=(",", ":"))
print()
