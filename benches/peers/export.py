"""`export.py NAME FILE`: a network of `WHOLE_IMAGE` as ONNX. A program of its own: who runs the file needs no PyTorch."""

import sys

import torch

from networks import WHOLE_IMAGE, export

build, parameters, shape = WHOLE_IMAGE[sys.argv[1]]
torch.manual_seed(0)
network = build()
found = sum(parameter.numel() for parameter in network.parameters())
assert found == parameters, f"{found} parameters, expected {parameters} as kd's network has"
export(network, torch.rand(shape), sys.argv[2])
