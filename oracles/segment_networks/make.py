"""Golden logits and costs of the U-Nets, from PyTorch.

    python3 oracles/segment_networks/make.py > crates/kd-segment/tests/oracle/networks.json

No weights are stored. Both sides make them from a formula over the parameter's name and the value's index, so the file
holds only designs, names, shapes and logits. The images come from the same formula under the name `images`.
"""

import json
import platform

import numpy as np
import torch
from torch import nn

MASK = (1 << 64) - 1
CONV = {2: nn.Conv2d, 3: nn.Conv3d}
BATCH = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
INSTANCE = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}


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
    elif name.endswith("gamma"):
        values = 1.0 + 0.2 * values
    else:
        values = 0.1 * values
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


class Layer(nn.Module):
    def __init__(self, axes, norm, channels, kernel, groups=1):
        super().__init__()
        self.conv = CONV[axes](*channels, kernel, padding=kernel // 2, groups=groups, bias=False)
        self.is_batch = norm == "batch"
        if self.is_batch:
            self.batch = BATCH[axes](channels[1])
        else:
            self.instance = INSTANCE[axes](channels[1], affine=True)

    def forward(self, x, is_active):
        x = self.batch(self.conv(x)) if self.is_batch else self.instance(self.conv(x))
        if not is_active:
            return x
        return torch.relu(x) if self.is_batch else nn.functional.leaky_relu(x, 0.01)


class Block(nn.Module):
    def __init__(self, axes, kind, norm, channels):
        super().__init__()
        i, o = channels
        self.kind = kind
        if kind == "depthwise":
            shapes = [((i, i), 3, i), ((i, o), 1, 1), ((o, o), 3, o), ((o, o), 1, 1)]
        else:
            shapes = [((i, o), 3, 1), ((o, o), 3, 1)]
        self.layers = nn.ModuleList(Layer(axes, norm, *shape) for shape in shapes)
        if kind == "residual" and i != o:
            self.shortcut = Layer(axes, norm, (i, o), 1)

    def forward(self, x):
        active = {"plain": [1, 1], "residual": [1, 0], "depthwise": [0, 1, 0, 1]}[self.kind]
        y = x
        for layer, is_active in zip(self.layers, active):
            y = layer(y, is_active)
        if self.kind == "residual":
            y = torch.relu(y + (self.shortcut(x, False) if hasattr(self, "shortcut") else x))
        return y


class UNet(nn.Module):
    def __init__(self, axes, channels, outputs, design):
        super().__init__()
        depth, widest = design["depth"], design.get("widest", 1 << 30)
        wide = [min(design["width"] << level, widest) for level in range(depth + 1)]
        block = lambda *channels: Block(axes, design["block"], design["norm"], channels)
        self.down = nn.ModuleList(block(wide[n - 1] if n else channels, wide[n]) for n in range(depth + 1))
        self.up = nn.ModuleList(block(wide[n] + wide[n + 1], wide[n]) for n in reversed(range(depth)))
        self.head = CONV[axes](wide[0], outputs, 1)
        self.pool = POOL[axes](2)
        self.twice = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            skips.append(x)
        skips.pop()
        for block in self.up:
            x = block(torch.cat([skips.pop(), self.twice(x)], 1))
        return self.head(x)


def our_name(name):
    """Norms call their parameters gamma and beta."""
    for norm in ("batch", "instance"):
        name = name.replace(f"{norm}.weight", f"{norm}.gamma").replace(f"{norm}.bias", f"{norm}.beta")
    return name


def fill(model):
    state, shapes = {}, {}
    for name, old in model.state_dict().items():
        if old.dtype == torch.float32:
            shapes[our_name(name)] = list(old.shape)
            old = formula_value(our_name(name), tuple(old.shape))
        state[name] = old
    model.load_state_dict(state, strict=True)
    return model.eval(), shapes


def multiply_adds(model, images):
    total = 0

    def count(module, _, output):
        nonlocal total
        total += module.weight.numel() * int(np.prod(output.shape[2:]))

    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Conv3d))]
    model(images)
    for hook in hooks:
        hook.remove()
    return total


def case(axes, channels, outputs, size, logits, **design):
    model, shapes = fill(UNet(axes, channels, outputs, design))
    shape = [2, channels, *size]
    images = torch.from_numpy(uniform("images", int(np.prod(shape))).astype(np.float32).reshape(shape))
    with torch.no_grad():
        answer = model(images)
        work = multiply_adds(model, images[:1])
    statistics = sum(b.numel() for b in model.buffers() if b.dtype == torch.float32)
    return {
        "axes": axes,
        "design": {"architecture": "u-net", **design},
        "channels": channels,
        "outputs": outputs,
        "size": size,
        "parameters": sum(p.numel() for p in model.parameters()),
        "statistics": statistics,
        "multiply_adds": work,
        "shapes": shapes,
        "logits": [float(f"{x:.9g}") for x in answer.flatten().tolist()] if logits else None,
    }


def main():
    torch.manual_seed(0)
    cases = []
    for block in ("plain", "residual", "depthwise"):
        for norm in ("batch", "instance"):
            design = dict(width=3, depth=2, block=block, norm=norm)
            cases.append(case(2, 2, 3, [8, 12], True, **design))
            cases.append(case(3, 1, 2, [4, 8, 4], True, **design))
    cases.append(case(2, 1, 1, [16, 8], True, width=2, depth=3, block="residual", norm="instance", widest=6))
    cases.append(case(3, 1, 3, [16, 24, 16], False, width=16, depth=3, block="plain", norm="instance"))
    cases.append(case(2, 1, 2, [64, 64], False, width=16, depth=4, block="plain", norm="batch", widest=128))
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    print(json.dumps({"versions": versions, "cases": cases}))


if __name__ == "__main__":
    main()
