"""Times scikit-image and surface-distance on inputs of the make that benches/image_metrics.rs uses.

    python3 benches/peers/image_metrics.py

Prints one JSON document: milliseconds, the least and the median of the repeats, and the versions. Run it between two runs
of `cargo bench -p kd-bench --bench image_metrics` on the same idle machine.
"""

import importlib.metadata
import json
import statistics
import time

import numpy as np
import surface_distance
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

# The released surface-distance uses two names that NumPy 2 dropped.
np.Inf, np.NaN = np.inf, np.nan


def milliseconds(work, repeats):
    work()
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        taken.append(1e3 * (time.perf_counter() - begun))
    return {"least": min(taken), "median": statistics.median(taken), "repeats": repeats}


def ellipsoid(centre, radii):
    axes = np.meshgrid(*[np.arange(128.0)] * 3, indexing="ij", sparse=True)
    return sum(((a - c) / r) ** 2 for a, c, r in zip(axes, centre, radii)) <= 1


def surfaces(truth, prediction):
    d = surface_distance.compute_surface_distances(truth, prediction, (1.5, 0.8, 0.7))
    surface_distance.compute_robust_hausdorff(d, 95)
    surface_distance.compute_surface_dice_at_tolerance(d, 1.0)


def main():
    truth, prediction = ellipsoid((60, 66, 58), (44, 50, 40)), ellipsoid((62, 64, 60), (42, 52, 41))
    rng = np.random.default_rng(0)
    image = rng.uniform(-1, 1, (512, 512))
    restored = image + 0.1 * rng.uniform(-1, 1, image.shape)
    reference = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    timed = {
        "hd95_nsd/128x128x128": milliseconds(lambda: surfaces(truth, prediction), 3),
        "psnr/512x512": milliseconds(lambda: peak_signal_noise_ratio(image, restored, data_range=2.0), 200),
        "ssim_skimage/512x512": milliseconds(lambda: structural_similarity(image, restored, data_range=2.0), 20),
        "ssim_reference/512x512": milliseconds(lambda: structural_similarity(image, restored, data_range=2.0, **reference), 20),
    }
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "scikit-image", "surface-distance")}
    print(json.dumps({"versions": versions, "milliseconds": timed}, indent=1))


main()
