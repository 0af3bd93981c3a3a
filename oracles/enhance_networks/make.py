"""Golden answers and costs of the restoration networks, from PyTorch.

Run with an environment that has oracles/requirements.txt:

    python3 oracles/enhance_networks/make.py > crates/kd-enhance/tests/oracle/networks.json

No weights are stored. Both sides make them from a formula over the tensor's name and the value's index, so the file holds
only names, shapes and answers. The images come from the same formula under the name `images`.
"""

import json
import platform

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

MASK = (1 << 64) - 1


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def uniform(name, count):
    """`count` values in [-1, 1): SplitMix64's output function on FNV-1a(name) plus index times the golden gamma."""
    with np.errstate(over="ignore"):
        z = np.uint64(fnv1a(name)) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / float(1 << 23) - 1.0


def formula_value(name, shape):
    """Weights uniform with He's variance; norms and running statistics away from their trivial values."""
    values = uniform(name, int(np.prod(shape)))
    if len(shape) > 1:
        values = values * np.sqrt(6.0 / float(np.prod(shape[1:])))
    elif name.endswith("running_var"):
        values = 1.0 + 0.5 * values
    elif name.endswith("weight"):
        values = 1.0 + 0.2 * values
    else:
        values = 0.1 * values
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def fill(model):
    state = {
        name: formula_value(name, tuple(old.shape)) if old.dtype == torch.float32 else old
        for name, old in model.state_dict().items()
    }
    model.load_state_dict(state, strict=True)
    return model.eval()


class Layer(nn.Module):
    def __init__(self, inputs, outputs, norm):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=norm == "none")
        self.norm = nn.BatchNorm2d(outputs) if norm == "batch" else nn.Identity()

    def forward(self, x):
        return torch.relu(self.norm(self.conv(x)))


class DnCnn(nn.Module):
    """Zhang et al. (2017), with the sum of input and residual instead of the difference."""

    def __init__(self, channels, width, layers, norm):
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.layers = nn.ModuleList(Layer(width, width, norm) for _ in range(layers - 2))
        self.residual = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, x):
        y = torch.relu(self.first(x))
        for layer in self.layers:
            y = layer(y)
        return x + self.residual(y)


class RedCnn(nn.Module):
    """Chen et al. (2017): shortcuts written out by layer number, transposed convolutions as they are published.

    A transposed convolution of stride 1 with kernel k is a plain one with the kernel mirrored and its first two axes
    swapped; the state holds the plain kernel, and this class mirrors it back.
    """

    def __init__(self, channels, width, depth):
        super().__init__()
        self.depth = depth
        self.encoder = nn.ModuleList(
            nn.Conv2d(channels if i == 0 else width, width, 5, padding=2) for i in range(depth)
        )
        self.decoder = nn.ModuleList(nn.Conv2d(width, width, 5, padding=2) for _ in range(depth - 1))
        self.residual = nn.Conv2d(width, channels, 5, padding=2)

    @staticmethod
    def transposed(layer, x):
        return F.conv_transpose2d(x, layer.weight.flip(2, 3).transpose(0, 1), layer.bias, padding=2)

    def forward(self, x):
        outputs = [x]
        for layer in self.encoder:
            outputs.append(torch.relu(layer(outputs[-1])))
        y = outputs[-1]
        for number, layer in enumerate(self.decoder, start=1):
            y = self.transposed(layer, y)
            mirrored = self.depth - number
            if mirrored % 2 == 0:
                y = y + outputs[mirrored]
            y = torch.relu(y)
        return x + self.transposed(self.residual, y)


class Level(nn.Module):
    def __init__(self, inputs, outputs, norm):
        super().__init__()
        self.first = Layer(inputs, outputs, norm)
        self.second = Layer(outputs, outputs, norm)

    def forward(self, x):
        return self.second(self.first(x))


class UNet(nn.Module):
    def __init__(self, channels, width, depth, norm):
        super().__init__()
        sizes = [width << level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            Level(channels if level == 0 else sizes[level - 1], sizes[level], norm) for level in range(depth + 1)
        )
        self.up = nn.ModuleList(
            Level(sizes[level] + sizes[level + 1], sizes[level], norm) for level in reversed(range(depth))
        )
        self.residual = nn.Conv2d(width, channels, 1)
        self.stride = 1 << depth

    def forward(self, x):
        height, width = x.shape[2:]
        y = F.pad(x, (0, -width % self.stride, 0, -height % self.stride))
        skips = []
        for index, level in enumerate(self.down):
            y = level(F.max_pool2d(y, 2) if index else y)
            skips.append(y)
        skips.pop()
        for level in self.up:
            y = level(torch.cat([skips.pop(), F.interpolate(y, scale_factor=2, mode="nearest")], 1))
        return x + self.residual(y)[:, :, :height, :width]


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        return self.conv2(torch.relu(self.conv1(x)))


class Edsr(nn.Module):
    """Lim et al. (2017), plus the linearly interpolated input."""

    def __init__(self, channels, width, blocks, factor, residual_scale):
        super().__init__()
        self.head = nn.Conv2d(channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.tail = nn.Conv2d(width, width, 3, padding=1)
        doublings = {2: 1, 4: 2}[factor]
        self.expansions = nn.ModuleList(nn.Conv2d(width, 4 * width, 3, padding=1) for _ in range(doublings))
        self.residual = nn.Conv2d(width, channels, 3, padding=1)
        self.residual_scale = residual_scale

    def forward(self, x):
        first = self.head(x)
        y = first
        for block in self.blocks:
            y = y + self.residual_scale * block(y)
        y = first + self.tail(y)
        fine = x
        for expansion in self.expansions:
            y = F.pixel_shuffle(expansion(y), 2)
            fine = F.interpolate(fine, scale_factor=2, mode="bilinear", align_corners=False)
        return fine + self.residual(y)


def build(spec):
    keys = {key: value for key, value in spec.items() if key != "architecture"}
    return {"dncnn": DnCnn, "red-cnn": RedCnn, "u-net": UNet, "edsr": Edsr}[spec["architecture"]](**keys)


def count(model, channels, size):
    """Parameters, and multiply-adds of convolutions seen by hooks during one forward pass."""
    total = 0

    def conv(module, _inputs, output):
        nonlocal total
        total += module.weight.numel() * output.shape[2] * output.shape[3]

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(conv)
    model.eval()
    if isinstance(model, RedCnn):
        # Its transposed convolutions go past the hooks; each is a convolution of the same size.
        for layer in [*model.decoder, model.residual]:
            total += layer.weight.numel() * size[0] * size[1]
    with torch.no_grad():
        model(torch.zeros(1, channels, *size))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    statistics = sum(b.numel() for name, b in model.named_buffers() if name.rsplit("_", 1)[-1] in ("mean", "var"))
    return {"parameters": parameters, "statistics": statistics, "multiply_adds": total}


def spec(architecture, channels, **keys):
    return {"architecture": architecture, **keys, "channels": channels}


FORWARD = [
    (spec("dncnn", 1, width=4, layers=4, norm="batch"), [9, 12]),
    (spec("dncnn", 2, width=3, layers=3, norm="none"), [7, 10]),
    (spec("red-cnn", 1, width=4, depth=5), [12, 9]),
    (spec("red-cnn", 1, width=3, depth=4), [11, 8]),
    (spec("red-cnn", 2, width=3, depth=1), [6, 7]),
    (spec("u-net", 1, width=3, depth=2, norm="batch"), [12, 16]),
    (spec("u-net", 1, width=4, depth=2, norm="none"), [13, 10]),
    (spec("edsr", 1, width=4, blocks=2, factor=2, residual_scale=1.0), [6, 5]),
    (spec("edsr", 1, width=3, blocks=1, factor=4, residual_scale=0.25), [4, 5]),
]

COST = [
    (spec("dncnn", 1, width=64, layers=17, norm="batch"), [64, 64]),
    (spec("dncnn", 1, width=16, layers=7, norm="none"), [512, 33]),
    (spec("red-cnn", 1, width=96, depth=5), [64, 48]),
    (spec("red-cnn", 3, width=8, depth=2), [32, 32]),
    (spec("u-net", 1, width=16, depth=3, norm="batch"), [64, 48]),
    (spec("u-net", 1, width=8, depth=2, norm="none"), [61, 47]),
    (spec("edsr", 1, width=64, blocks=16, factor=2, residual_scale=1.0), [24, 20]),
    (spec("edsr", 1, width=16, blocks=4, factor=4, residual_scale=1.0), [24, 20]),
]


def main():
    forward = []
    with torch.no_grad():
        for case, size in FORWARD:
            shape = (2, case["channels"], *size)
            images = torch.from_numpy(uniform("images", int(np.prod(shape))).astype(np.float32).reshape(shape))
            model = fill(build(case))
            weights = {name: list(value.shape) for name, value in model.state_dict().items() if value.dim() > 0}
            answer = model(images)
            rounded = [float(f"{value:.7g}") for value in answer.double().flatten().tolist()]
            forward.append(
                {"spec": case, "size": size, "shape": list(answer.shape), "answer": rounded, "weights": weights}
            )
    cost = [{"spec": case, "size": size, **count(build(case), case["channels"], size)} for case, size in COST]
    tool = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    # One case a line, so that a change shows as a line.
    lines = lambda cases: ",\n".join(json.dumps(case) for case in cases)
    print(f'{{"tool": {json.dumps(tool)},')
    print(f'"forward": [\n{lines(forward)}\n],')
    print(f'"cost": [\n{lines(cost)}\n]}}')


if __name__ == "__main__":
    main()
