"""The networks of `kd-speed` and `kd-work`, written in PyTorch: same layers, same sizes, same number of parameters."""

import torch
from torch import nn
from torch.nn import functional as F


def conv(inputs, outputs, kernel=3, stride=1, groups=1, bias=False, axes=2):
    layer = nn.Conv2d if axes == 2 else nn.Conv3d
    return layer(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=bias)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv(outputs, outputs), nn.BatchNorm2d(outputs)
        project = stride != 1 or inputs != outputs
        self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)) if project else None

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        y += identity
        return F.relu(y, inplace=True)


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = conv(1, 64), nn.BatchNorm2d(64)
        layers, inputs = [], 64
        for stage in range(4):
            for block in range(2):
                outputs = 64 << stage
                layers.append(Block(inputs, outputs, 2 if stage > 0 and block == 0 else 1))
                inputs = outputs
        self.layers, self.fc = nn.Sequential(*layers), nn.Linear(512, 2)

    def forward(self, x):
        x = self.layers(F.relu(self.bn1(self.conv1(x)), inplace=True))
        return self.fc(x.mean((2, 3)))


class Mobile(nn.Module):
    BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]

    def __init__(self):
        super().__init__()
        layers, inputs = [conv(1, 32), nn.BatchNorm2d(32), nn.ReLU(True)], 32
        for outputs, stride in self.BLOCKS:
            layers += [conv(inputs, inputs, stride=stride, groups=inputs), nn.BatchNorm2d(inputs), nn.ReLU(True)]
            layers += [conv(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU(True)]
            inputs = outputs
        self.layers, self.fc = nn.Sequential(*layers), nn.Linear(1024, 2)

    def forward(self, x):
        return self.fc(self.layers(x).mean((2, 3)))


class Double(nn.Module):
    def __init__(self, inputs, outputs, axes):
        super().__init__()
        if axes == 2:
            follow = lambda: [nn.BatchNorm2d(outputs), nn.ReLU(True)]
        else:
            follow = lambda: [nn.InstanceNorm3d(outputs, affine=True), nn.LeakyReLU(0.01, True)]
        first, second = conv(inputs, outputs, axes=axes), conv(outputs, outputs, axes=axes)
        self.layers = nn.Sequential(first, *follow(), second, *follow())

    def forward(self, x):
        return self.layers(x)


class UNet(nn.Module):
    def __init__(self, axes, depth, base, classes=2):
        super().__init__()
        width = lambda level: base << level
        self.down = nn.ModuleList(
            Double(1 if level == 0 else width(level - 1), width(level), axes) for level in range(depth + 1)
        )
        self.up = nn.ModuleList(
            Double(width(level) + width(level + 1), width(level), axes) for level in reversed(range(depth))
        )
        self.head = conv(base, classes, 1, bias=True, axes=axes)
        self.pool = F.max_pool2d if axes == 2 else F.max_pool3d

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self.pool(x, 2))
            skips.append(x)
        skips.pop()
        for block in self.up:
            x = block(torch.cat([skips.pop(), F.interpolate(x, scale_factor=2.0, mode="nearest")], 1))
        return self.head(x)


class DnCnn(nn.Module):
    def __init__(self, layers=17, width=64):
        super().__init__()
        inner = [conv(1, width, bias=True), nn.ReLU(True)]
        for _ in range(layers - 2):
            inner += [conv(width, width), nn.BatchNorm2d(width), nn.ReLU(True)]
        self.layers = nn.Sequential(*inner, conv(width, 1))

    def forward(self, x):
        return self.layers(x)


class Denoiser(nn.Module):
    """What is added to an image: 3 x 3 convolutions, a bias where no norm follows."""

    def __init__(self, width, layers, norm):
        super().__init__()
        inner = [conv(1, width, bias=True), nn.ReLU(True)]
        for _ in range(layers - 2):
            follow = [nn.BatchNorm2d(width)] if norm else []
            inner += [conv(width, width, bias=not norm), *follow, nn.ReLU(True)]
        self.layers = nn.Sequential(*inner, conv(width, 1, bias=True))

    def forward(self, x):
        return x + self.layers(x)


# Name: network, the number of its parameters, and the shape of its input.
WHOLE_IMAGE = {
    "sliding-window": (lambda: UNet(3, 3, 5, 3), 143_018, (1, 1, 64, 64, 64)),
    "restore-student": (lambda: Denoiser(10, 8, False), 5_651, (1, 1, 512, 512)),
    "restore-teacher": (lambda: Denoiser(32, 10, True), 74_849, (1, 1, 512, 512)),
}

def export(network, x, file):
    torch.onnx.export(network.eval(), (x,), str(file), dynamo=False, input_names=["x"], opset_version=17)


FAMILIES = {
    "resnet-18": (ResNet18, (64, 1, 28, 28)),
    "u-net": (lambda: UNet(2, 4, 16), (8, 1, 128, 128)),
    "u-net-3d": (lambda: UNet(3, 3, 16), (2, 1, 32, 48, 32)),
    "mobile": (Mobile, (64, 1, 28, 28)),
    "dncnn": (DnCnn, (16, 1, 64, 64)),
}
