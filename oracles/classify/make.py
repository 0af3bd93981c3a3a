"""Golden logits and costs of the classification networks, from PyTorch and torchvision.

Run with an environment that has oracles/requirements.txt:

    python3 oracles/classify/make.py > crates/kd-classify/tests/oracle/networks.json

No weights are stored. Both sides make them from a formula over the tensor's PyTorch name and the value's index, so the
file holds only names, shapes and logits. The images come from the same formula under the name `images`.
"""

import json
import platform

import numpy as np
import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

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


def resnet(block, blocks, stem, width, in_channels, outputs):
    """torchvision's ResNet; other widths and fewer stages by its own `_make_layer`."""
    model = ResNet(block, [1, 1, 1, 1], num_classes=outputs)
    model.inplanes = width
    if stem == "small":
        model.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()
    else:
        model.conv1 = nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
    model.bn1 = nn.BatchNorm2d(width)
    for stage in range(4):
        name = f"layer{stage + 1}"
        if stage < len(blocks):
            layer = model._make_layer(block, width << stage, blocks[stage], stride=1 if stage == 0 else 2)
        else:
            layer = nn.Sequential()
        setattr(model, name, layer)
    model.fc = nn.Linear((width << (len(blocks) - 1)) * block.expansion, outputs)
    return model


def vgg(batch_norm, stem, width, in_channels, outputs):
    """torchvision's VGG-16; other widths by replacing its layers one by one."""
    make = torchvision.models.vgg16_bn if batch_norm else torchvision.models.vgg16
    # Build the published one only where it is asked for: its head alone has 120 million values.
    if stem == "imagenet" and width == 64:
        model = make(num_classes=outputs)
        model.features[0] = nn.Conv2d(in_channels, width, 3, padding=1)
        return model
    cfg = [1, 1, "M", 2, 2, "M", 4, 4, 4, "M", 8, 8, 8, "M", 8, 8, 8, "M"]
    layers, channels = [], in_channels
    for entry in cfg:
        if entry == "M":
            layers.append(nn.MaxPool2d(2, 2))
            continue
        layers.append(nn.Conv2d(channels, width * entry, 3, padding=1))
        channels = width * entry
        layers += [nn.BatchNorm2d(channels), nn.ReLU()] if batch_norm else [nn.ReLU()]

    class Vgg(nn.Module):
        def __init__(self):
            super().__init__()
            if stem == "imagenet":
                hidden = 64 * width
                self.features = nn.Sequential(*layers)
                self.pool = nn.AdaptiveAvgPool2d(7)
                self.classifier = nn.Sequential(
                    nn.Linear(channels * 49, hidden), nn.ReLU(), nn.Dropout(),
                    nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(),
                    nn.Linear(hidden, outputs),
                )
            else:
                self.features = nn.Sequential(*layers[:-1])
                self.pool = nn.AdaptiveAvgPool2d(1)
                self.classifier = nn.Linear(channels, outputs)

        def forward(self, x):
            return self.classifier(torch.flatten(self.pool(self.features(x)), 1))

    return Vgg()


class ConvNorm(nn.Module):
    def __init__(self, *args, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(*args, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(self.conv.out_channels)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


class Separable(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.depthwise = ConvNorm(channels, channels, 3, stride=stride, padding=1, groups=channels)
        self.pointwise = ConvNorm(channels, out, 1)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


class Mobile(nn.Module):
    """MobileNetV1, table 1 of Howard et al. (2017)."""

    def __init__(self, stem, multiplier, blocks, in_channels, outputs):
        super().__init__()
        scaled = lambda channels: max(8, int(channels * multiplier))
        channels = scaled(32)
        self.stem = ConvNorm(in_channels, channels, 3, stride=1 if stem == "small" else 2, padding=1)
        rows = []
        for stage, count in enumerate(blocks):
            for block in range(count):
                out = scaled(64 << stage)
                rows.append(Separable(channels, out, 2 if stage > 0 and block == 0 else 1))
                channels = out
        self.blocks = nn.Sequential(*rows)
        self.fc = nn.Linear(channels, outputs)

    def forward(self, x):
        return self.fc(self.blocks(self.stem(x)).mean((2, 3)))


def build(spec):
    architecture, stem = spec["architecture"], spec["stem"]
    io = (spec["in_channels"], spec["outputs"])
    if architecture == "mobile":
        return Mobile(stem, spec["multiplier"], spec.get("blocks", [1, 2, 2, 6, 2]), *io)
    width = spec.get("width", 64)
    if architecture.startswith("vgg"):
        return vgg(architecture.endswith("bn"), stem, width, *io)
    block = Bottleneck if architecture == "resnet-50" else BasicBlock
    fixed = {"resnet-18": [2, 2, 2, 2], "resnet-34": [3, 4, 6, 3], "resnet-50": [3, 4, 6, 3]}
    return resnet(block, fixed.get(architecture) or spec["blocks"], stem, width, *io)


def count(model, channels, size):
    """Parameters, and multiply-adds of convolutions and linear layers seen by hooks during one forward pass."""
    total = 0

    def conv(module, _inputs, output):
        nonlocal total
        total += module.weight.numel() * output.shape[2] * output.shape[3]

    def linear(module, _inputs, _output):
        nonlocal total
        total += module.weight.numel()

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(conv)
        elif isinstance(module, nn.Linear):
            module.register_forward_hook(linear)
    model.eval()
    with torch.no_grad():
        model(torch.zeros(1, channels, *size))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    statistics = sum(b.numel() for name, b in model.named_buffers() if name.rsplit("_", 1)[-1] in ("mean", "var"))
    return {"parameters": parameters, "statistics": statistics, "multiply_adds": total}


def spec(architecture, stem, in_channels, outputs, **keys):
    return {"architecture": architecture, "stem": stem, **keys, "in_channels": in_channels, "outputs": outputs}


FORWARD = [
    (spec("resnet-18", "imagenet", 3, 10), [64, 64]),
    (spec("resnet-34", "imagenet", 3, 10), [64, 48]),
    (spec("resnet-50", "imagenet", 3, 10), [64, 64]),
    (spec("resnet-18", "small", 1, 2), [28, 28]),
    (spec("thin-resnet", "small", 1, 3, width=8, blocks=[1, 2, 1]), [28, 36]),
    (spec("resnet-50", "small", 1, 4, width=16), [29, 29]),
    (spec("vgg-16", "small", 1, 5, width=32), [28, 28]),
    (spec("vgg-16-bn", "imagenet", 3, 6, width=16), [64, 96]),
    (spec("vgg-16", "imagenet", 3, 6, width=8), [32, 32]),
    (spec("mobile", "small", 1, 7, multiplier=0.5), [28, 28]),
    (spec("mobile", "imagenet", 3, 2, multiplier=0.3, blocks=[1, 2, 2]), [65, 64]),
]

COST = [
    (spec("resnet-18", "imagenet", 3, 1000), [224, 224]),
    (spec("resnet-34", "imagenet", 3, 1000), [224, 224]),
    (spec("resnet-50", "imagenet", 3, 1000), [224, 224]),
    (spec("vgg-16", "imagenet", 3, 1000), [224, 224]),
    (spec("vgg-16-bn", "imagenet", 3, 1000), [224, 224]),
    (spec("resnet-18", "small", 1, 2), [28, 28]),
    (spec("resnet-50", "small", 3, 8), [64, 64]),
    (spec("thin-resnet", "small", 1, 2, width=8, blocks=[1, 1, 1]), [28, 28]),
    (spec("thin-resnet", "imagenet", 3, 9, width=20, blocks=[2, 1, 3, 1]), [97, 64]),
    (spec("vgg-16-bn", "small", 1, 2, width=16), [28, 28]),
    (spec("mobile", "imagenet", 3, 1000, multiplier=1.0), [224, 224]),
    (spec("mobile", "small", 1, 2, multiplier=0.25), [28, 28]),
    (spec("mobile", "small", 1, 2, multiplier=0.0625, blocks=[1, 2, 2]), [28, 28]),
]


def main():
    torch.manual_seed(0)
    forward = []
    with torch.no_grad():
        for case, size in FORWARD:
            shape = (2, case["in_channels"], *size)
            images = torch.from_numpy(uniform("images", int(np.prod(shape))).astype(np.float32).reshape(shape))
            model = fill(build(case))
            weights = {name: list(value.shape) for name, value in model.state_dict().items()}
            forward.append({"spec": case, "size": size, "logits": model(images).double().tolist(), "weights": weights})
    cost = [{"spec": case, "size": size, **count(build(case), case["in_channels"], size)} for case, size in COST]
    tool = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
    }
    # One case a line, so that a change shows as a line.
    lines = lambda cases: ",\n".join(json.dumps(case) for case in cases)
    print(f'{{"tool": {json.dumps(tool)},')
    print(f'"forward": [\n{lines(forward)}\n],')
    print(f'"cost": [\n{lines(cost)}\n]}}')


if __name__ == "__main__":
    main()
