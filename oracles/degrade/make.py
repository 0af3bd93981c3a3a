"""Golden values of projection, reconstruction and downsampling, from scikit-image and SciPy.

    python3 oracles/degrade/make.py > crates/kd-data/tests/oracle/degrade.json

Values stand with four decimals, last axis fastest. The slice is lopsided and smooth, and lies within the circle that
scikit-image asks for; rows and columns of the downsampled image differ in number, so that a swap of axes shows. Of the
noise of a magnitude image there are the mean and the standard deviation that SciPy's distribution gives.
"""

import importlib.metadata
import json
import platform
import sys

import numpy as np
from scipy import ndimage, stats
from skimage.transform import iradon, radon

PACKAGES = ["numpy", "scipy", "scikit-image"]
SIDE = 49
ANGLES = 36


def slice_in_circle():
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    image = np.exp(-((x - 7) ** 2 + (y + 4) ** 2) / 40.0) - 0.5 * np.exp(-((x + 6) ** 2 + (y - 8) ** 2) / 25.0)
    return np.where(x**2 + y**2 < (SIDE // 2 - 1) ** 2, image, 0.0)


def numbers(array):
    return [round(float(value), 4) for value in np.asarray(array).ravel()]


def main():
    rng = np.random.default_rng(20261126)
    image = np.round(slice_in_circle(), 4)
    theta = np.arange(ANGLES) * 180.0 / ANGLES
    sinogram = np.round(radon(image, theta, circle=True), 4)
    coarse = []
    for factor, sigma in [(2, 0.0), (2, 0.8), (4, 1.3)]:
        clean = np.round(rng.normal(100, 40, (8, 12)), 3)
        blurred = ndimage.gaussian_filter(clean, sigma, mode="nearest", truncate=4.0) if sigma else clean
        mean = blurred.reshape(8 // factor, factor, 12 // factor, factor).mean(axis=(1, 3))
        coarse.append({"factor": factor, "blur_sigma": sigma, "clean": numbers(clean), "coarse": numbers(mean)})
    rice = []
    for value, sigma in [(0.0, 12.0), (10.0, 12.0), (60.0, 12.0)]:
        law = stats.rice(value / sigma, scale=sigma)
        rice.append({"value": value, "sigma": sigma, "mean": float(law.mean()), "std": float(law.std())})
    document = {
        "versions": {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in PACKAGES}},
        "side": SIDE,
        "angles": ANGLES,
        "slice": numbers(image),
        # [angle, detector], as a scanner has it.
        "sinogram": numbers(sinogram.T),
        "reconstructed": {
            name: numbers(iradon(sinogram, theta, filter_name=name, interpolation="linear", circle=True))
            for name in ["ramp", "hann", "hamming"]
        },
        "downsampled": coarse,
        "rician": rice,
    }
    json.dump(document, sys.stdout, separators=(",", ":"))
    print()


main()
