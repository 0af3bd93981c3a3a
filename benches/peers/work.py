"""One side of a side-by-side: `work.py NAME FOLDER`, the work of `benches/src/work.rs` by other programs.

Reads the files that `kd-work` has made in FOLDER. Does one piece of work for each line `step` on standard input and answers
with its seconds; `memory` and `versions` are those of `side.py`.
"""

import importlib.metadata
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FOLDER = Path(sys.argv[2])


def dicom_series():
    import pydicom

    files = sorted((FOLDER / "series").iterdir())

    def work():
        slices = [pydicom.dcmread(path) for path in files]
        slices.sort(key=lambda s: float(s.ImagePositionPatient[2]))
        volume = np.empty((len(slices), slices[0].Rows, slices[0].Columns), np.float32)
        for index, s in enumerate(slices):
            volume[index] = s.pixel_array * np.float32(s.RescaleSlope) + np.float32(s.RescaleIntercept)

    return work, "pydicom"


def nifti_gz():
    import nibabel

    return (lambda: nibabel.load(FOLDER / "cube.nii.gz").get_fdata(dtype=np.float32)), "nibabel"


def ellipsoid(centre, radii):
    axes = np.meshgrid(*[np.arange(128.0)] * 3, indexing="ij", sparse=True)
    return sum(((a - c) / r) ** 2 for a, c, r in zip(axes, centre, radii)) <= 1


def hd95_nsd():
    # The released surface-distance uses two names that NumPy 2 dropped.
    np.Inf, np.NaN = np.inf, np.nan
    import surface_distance

    truth, prediction = ellipsoid((60, 66, 58), (44, 50, 40)), ellipsoid((62, 64, 60), (42, 52, 41))

    def work():
        d = surface_distance.compute_surface_distances(truth, prediction, (1.5, 0.8, 0.7))
        surface_distance.compute_robust_hausdorff(d, 95)
        surface_distance.compute_surface_dice_at_tolerance(d, 1.0)

    return work, "surface-distance"


def images():
    rng = np.random.default_rng(0)
    image = rng.uniform(-1, 1, (512, 512))
    return image, image + 0.1 * rng.uniform(-1, 1, image.shape)


def ssim():
    from skimage.metrics import structural_similarity

    image, restored = images()
    return (lambda: structural_similarity(image, restored, data_range=2.0)), "scikit-image"


def psnr():
    from skimage.metrics import peak_signal_noise_ratio

    image, restored = images()
    return (lambda: peak_signal_noise_ratio(image, restored, data_range=2.0)), "scikit-image"


def pixel_kd():
    import torch
    from torch.nn.functional import kl_div, log_softmax

    student = (torch.rand(8, 3, 256, 256) * 8 - 4).requires_grad_(True)
    teacher = torch.rand(8, 3, 256, 256) * 8 - 4

    def work():
        student.grad = None
        terms = kl_div(log_softmax(student / 4, 1), log_softmax(teacher / 4, 1), reduction="none", log_target=True)
        (16 * terms.sum(1).mean()).backward()

    return work, "torch"


def exported(name):
    from session import session

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        exporter = Path(__file__).with_name("export.py")
        subprocess.run([sys.executable, exporter, name, file], check=True, stdout=subprocess.DEVNULL)
        found = session(file, os.cpu_count())
    return lambda x: found.run(None, {"x": x})[0]


def sliding_window():
    """Half overlap, a Gaussian of an eighth of the patch, blended logits, the highest class: what kd does."""
    network = exported("sliding-window")
    shape, patch, classes = (128, 256, 256), 64, 3
    image = np.random.default_rng(6).uniform(-1, 1, shape).astype(np.float32)
    bell = np.exp(-0.5 * ((np.arange(patch) - (patch - 1) / 2) / (patch / 8)) ** 2).astype(np.float32)
    weight = bell[:, None, None] * bell[:, None] * bell
    starts = [range(0, points - patch + 1, patch // 2) for points in shape]
    places = [tuple(slice(a, a + patch) for a in place) for place in itertools.product(*starts)]

    def work():
        # Where windows overlap their weights are summed for all classes alike: the highest is the same without a division.
        logits = np.zeros((classes, *shape), np.float32)
        for place in places:
            logits[(slice(None), *place)] += weight * network(image[(None, None, *place)])[0]
        return logits.argmax(0).astype(np.uint16)

    return work, "onnxruntime"


def restore(name):
    network = exported(name)
    image = np.random.default_rng(7).uniform(-1, 1, (1, 1, 512, 512)).astype(np.float32)
    return (lambda: network(image)), "onnxruntime"


def restore_student():
    return restore("restore-student")


def restore_teacher():
    return restore("restore-teacher")


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    work, package = globals()[sys.argv[1].replace("-", "_")]()
    idle = peak()
    work()
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "step":
            begun = time.perf_counter()
            work()
            print(f"{time.perf_counter() - begun:.9f}", flush=True)
        elif line.strip() == "versions":
            print(f"{package} {importlib.metadata.version(package)}, numpy {np.__version__}", flush=True)
        elif line.strip() == "memory":
            print(idle, peak(), flush=True)
        else:
            break


main()
