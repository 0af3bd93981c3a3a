"""One side of a side-by-side: `side.py FAMILY train|infer nchw|channels-last|onnx [THREADS]`.

Prepares a network, then does one step for each line `step` on standard input and answers with its seconds. `memory`
answers the peak memory of the idle process (libraries loaded, network built) and of now, in bytes. The rest of the
protocol is that of `kd-speed`; `versions` names the libraries.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import torch

from networks import FAMILIES, export

THREADS = int(sys.argv[4]) if len(sys.argv) > 4 else torch.get_num_threads()


def versions(side):
    names = f"PyTorch {torch.__version__}"
    if side == "onnx":
        import onnxruntime

        names = f"ONNX Runtime {onnxruntime.__version__}, network exported by {names}"
    return f"{names}, {THREADS} threads"


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def torch_side(network, x, train, channels_last):
    if channels_last:
        layout = torch.channels_last if x.dim() == 4 else torch.channels_last_3d
        network, x = network.to(memory_format=layout), x.to(memory_format=layout)
    if not train:
        network.eval()

        def step():
            with torch.inference_mode():
                return network(x)

        return step
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        network(x).square().mean().backward()
        optimizer.step()

    return step


def onnx_side(network, x):
    from session import session

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        export(network, x, file)
        found = session(file, THREADS)
    feed = {"x": x.numpy()}
    return lambda: found.run(None, feed)


def main():
    family, mode, side = sys.argv[1:4]
    torch.manual_seed(0)
    torch.set_num_threads(THREADS)
    build, shape = FAMILIES[family]
    network, x = build(), torch.rand(shape) * 8 - 4
    step = onnx_side(network, x) if side == "onnx" else torch_side(network, x, mode == "train", side == "channels-last")
    idle = peak()
    for _ in range(2):
        step()
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "step":
            begun = time.perf_counter()
            step()
            print(f"{time.perf_counter() - begun:.9f}", flush=True)
        elif line.strip() == "versions":
            print(versions(side), flush=True)
        elif line.strip() == "memory":
            print(idle, peak(), flush=True)
        else:
            break


main()
