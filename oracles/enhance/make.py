"""Golden values of the enhancement metrics, from scikit-image and direct f64 versions of the published definitions.

    python3 oracles/enhance/make.py > crates/kd-metrics/tests/oracle/enhance.json

Small images stand as numbers with three decimals, large ones as two hexadecimal digits a point; last axis fastest. Axes
differ in length, the prediction is blurred, shifted and noisy, and values lie far from zero where they do in a CT, so that
a swap of arguments or axes shows. PSNR, SSIM, MSE come from scikit-image; the rest has no program there and is written
from its paper with plain SciPy convolutions and NumPy's FFT.
"""

import importlib.metadata
import json
import platform
import sys

import numpy as np
from scipy import ndimage, signal
from skimage import metrics

PACKAGES = ["numpy", "scipy", "scikit-image"]
SEED = 20251126


def scene(rng, shape, low, high):
    """Blobs and a ramp in low..high."""
    axes = np.meshgrid(*[np.linspace(0, 1, n) for n in shape], indexing="ij")
    image = sum((0.2 + 0.3 * k) * a for k, a in enumerate(axes))
    for _ in range(9):
        at, radius = rng.random(len(shape)), rng.uniform(0.08, 0.3)
        image += rng.uniform(-1, 1) * (sum((a - c) ** 2 for a, c in zip(axes, at)) < radius**2)
    image = ndimage.gaussian_filter(image, 0.6) + rng.normal(0, 0.03, shape)
    return low + (high - low) * (image - image.min()) / (image.max() - image.min())


def degraded(rng, truth, high, noise):
    return ndimage.gaussian_filter(truth, 0.9) + rng.normal(0.01 * high, noise, truth.shape)


def ssim(prediction, truth, value_range):
    def of(**variant):
        return metrics.structural_similarity(truth, prediction, data_range=value_range, **variant)

    reference = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    out = {"skimage": of()}
    if min(truth.shape) >= 11:
        out["reference"] = of(**reference)
    return out


def edges(prediction, truth):
    inner = (slice(1, -1),) * truth.ndim
    laplacians = [ndimage.laplace(x)[inner].ravel() for x in (prediction, truth)]
    return np.corrcoef(*laplacians)[0, 1]


def of_pair(name, prediction, truth, value_range):
    prediction, truth = np.round(prediction, 3), np.round(truth, 3)
    mse = metrics.mean_squared_error(truth, prediction)
    return {
        "name": name,
        "shape": truth.shape,
        "range": value_range,
        "prediction": prediction.ravel(),
        "truth": truth.ravel(),
        "psnr": metrics.peak_signal_noise_ratio(truth, prediction, data_range=value_range),
        "mse": mse,
        "rmse": np.sqrt(mse),
        "mae": np.abs(prediction - truth).mean(),
        "ssim": ssim(prediction, truth, value_range),
        "edges": edges(prediction, truth),
    }


def pairs(rng):
    truth = scene(rng, (23, 31), 0, 1)
    yield of_pair("unit range", degraded(rng, truth, 1, 0.05), truth, 1.0)
    truth = scene(rng, (19, 26), -1000, 1400)
    yield of_pair("hounsfield", degraded(rng, truth, 1400, 60), truth, 2400.0)
    truth = scene(rng, (12, 13, 16), -160, 240)
    yield of_pair("volume", degraded(rng, truth, 240, 15), truth, 400.0)
    truth = scene(rng, (7, 9, 11), 0, 255)
    yield of_pair("thin volume", degraded(rng, truth, 255, 12), truth, 255.0)


def gaussian(length, sigma):
    g = np.exp(-0.5 * ((np.arange(length) - length // 2) / sigma) ** 2)
    window = np.outer(g, g)
    return window / window.sum()


def valid(image, window):
    return signal.convolve2d(image, window, mode="valid")


def ms_ssim(prediction, truth, value_range):
    """Wang, Simoncelli and Bovik 2003: 2D windows, and a mean filter whose border repeats, as imfilter 'symmetric' has it."""
    window, c1, c2 = gaussian(11, 1.5), (0.01 * value_range) ** 2, (0.03 * value_range) ** 2
    x, y, product = prediction, truth, 1.0
    weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    for scale, weight in enumerate(weights):
        mx, my = valid(x, window), valid(y, window)
        vx, vy, cov = valid(x * x, window) - mx * mx, valid(y * y, window) - my * my, valid(x * y, window) - mx * my
        cs = (2 * cov + c2) / (vx + vy + c2)
        luminance = (2 * mx * my + c1) / (mx * mx + my * my + c1)
        product *= (luminance * cs if scale == 4 else cs).mean() ** weight
        def half(z):
            z = np.pad(z, ((0, 1), (0, 1)), mode="symmetric")
            return (0.25 * (z[:-1, :-1] + z[1:, :-1] + z[:-1, 1:] + z[1:, 1:]))[::2, ::2]
        x, y = half(x), half(y)
    return product


def vif(prediction, truth, value_range):
    """Sheikh and Bovik 2006, pixel domain, with the cases of the authors' vifp_mscale."""
    x, y = prediction * 255 / value_range, truth * 255 / value_range
    kept = total = 0.0
    for scale in range(1, 5):
        length = 2 ** (5 - scale) + 1
        window = gaussian(length, length / 5)
        if scale > 1:
            x, y = valid(x, window)[::2, ::2], valid(y, window)[::2, ::2]
        mx, my = valid(x, window), valid(y, window)
        vx = np.maximum(valid(x * x, window) - mx * mx, 0)
        vy = np.maximum(valid(y * y, window) - my * my, 0)
        cov = valid(x * y, window) - mx * my
        gain = cov / (vy + 1e-10)
        noise = vx - gain * cov
        flat = vy < 1e-10
        gain[flat], noise[flat], vy[flat] = 0, vx[flat], 0
        flat = vx < 1e-10
        gain[flat], noise[flat] = 0, 0
        negative = gain < 0
        noise[negative], gain[negative] = vx[negative], 0
        noise = np.maximum(noise, 1e-10)
        kept += np.log10(1 + gain**2 * vy / (noise + 2)).sum()
        total += np.log10(1 + vy / 2).sum()
    return kept / total


def digits(image):
    return image.astype(np.uint8).tobytes().hex()


def byte_pair(rng, shape):
    truth = np.clip(np.round(scene(rng, shape, 4, 251)), 0, 255)
    prediction = np.clip(np.round(degraded(rng, truth, 255, 9)), 0, 255)
    return prediction, truth


def large(rng):
    for shape in ((163, 165),):
        prediction, truth = byte_pair(rng, shape)
        yield {
            "shape": shape,
            "prediction": digits(prediction),
            "truth": digits(truth),
            "ms_ssim": [[r, ms_ssim(prediction, truth, r)] for r in (255.0, 1000.0)],
            "vif": [[r, vif(prediction, truth, r)] for r in (255.0, 400.0)],
            "ssim": ssim(prediction, truth, 255.0),
        }


def stack(rng):
    """A volume's VIF is the mean over its slices; a flat patch and an inverted one meet the special cases."""
    shape = (3, 41, 47)
    pairs = [byte_pair(rng, shape[1:]) for _ in range(shape[0])]
    prediction, truth = (np.stack([pair[side] for pair in pairs]) for side in (0, 1))
    truth[0, :25, :26] = 80
    prediction[1, :27, 20:] = 255 - truth[1, :27, 20:]
    prediction[2, 12:, :24] = 91
    return {
        "shape": shape,
        "range": 255.0,
        "prediction": digits(prediction),
        "truth": digits(truth),
        "vif": np.mean([vif(p, t, 255.0) for p, t in zip(prediction, truth)]),
    }


def regions(rng):
    shape = (4, 15, 18)
    truth = np.round(scene(rng, shape, -100, 300), 3)
    prediction = np.round(degraded(rng, truth, 300, 20), 3)
    target, background = np.zeros(shape, bool), np.zeros(shape, bool)
    target[1:3, 3:7, 4:9] = True
    background[:, 10:14, 11:17] = True
    cnr = [abs(x[target].mean() - x[background].mean()) / x[background].std(ddof=1) for x in (prediction, truth)]
    return {
        "shape": shape,
        "prediction": prediction.ravel(),
        "truth": truth.ravel(),
        "target": "".join("01"[int(x)] for x in target.ravel()),
        "background": "".join("01"[int(x)] for x in background.ravel()),
        "bias": [(prediction - truth)[region].mean() for region in (target, background)],
        "noise": [(prediction - truth)[region].std() for region in (target, background)],
        "contrast_to_noise": cnr,
    }


def noise(rng):
    """Definition of ICRU 87 by NumPy's FFT; rings are one of the coarser steps wide, lower edge included."""
    shape, spacing = (3, 30, 34), (2.0, 0.6, 0.45)
    ramp = 0.7 * np.arange(shape[1])[:, None] - 0.4 * np.arange(shape[2])
    image = np.round(40 + ramp + ndimage.gaussian_filter(rng.normal(0, 30, shape), (0, 0.8, 1.3)), 3)
    out = {"shape": shape, "spacing_mm": spacing, "image": image.ravel(), "cases": []}
    for height, width in ((12, 12), (9, 14)):
        starts = [(0, 2, 3), (1, 15, 18)]
        for detrend in ("mean", "plane"):
            spectra = []
            for z, y, x in starts:
                for slab in (z, z + 1):
                    box = image[slab, y : y + height, x : x + width]
                    columns = [np.ones(box.size)]
                    if detrend == "plane":
                        columns += [c.ravel() for c in np.meshgrid(np.arange(height), np.arange(width), indexing="ij")]
                    columns = np.stack(columns, axis=1)
                    fitted = columns @ np.linalg.lstsq(columns, box.ravel(), rcond=None)[0]
                    spectra.append(np.abs(np.fft.fft2(box - fitted.reshape(box.shape))) ** 2)
            power = np.mean(spectra, axis=0) * spacing[1] * spacing[2] / (height * width)
            fy, fx = np.fft.fftfreq(height, spacing[1])[:, None], np.fft.fftfreq(width, spacing[2])
            f, step = np.hypot(fy, fx), max(1 / (height * spacing[1]), 1 / (width * spacing[2]))
            inside, ring = f <= 0.5 / max(spacing[1:]) * (1 + 1e-12), np.floor(f / step + 0.5 + 1e-9).astype(int)
            rings = [inside & (ring == r) for r in range(1, ring[inside].max() + 1)]
            bins = [[f[r].mean(), power[r].mean()] for r in rings if r.any()]
            out["cases"].append({
                "size": [2, height, width],
                "starts": starts,
                "detrend": detrend,
                "bins": bins,
                "variance": power.sum() / (height * width * spacing[1] * spacing[2]),
                "mean_frequency": sum(a * b for a, b in bins) / sum(b for _, b in bins),
            })
    return out


def main():
    rng = np.random.default_rng(SEED)
    document = {
        "made_by": "oracles/enhance/make.py",
        "versions": {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in PACKAGES},
        "seed": SEED,
        "sources": {
            "psnr, mse, ssim": "scikit-image",
            "edges": "SciPy laplace, NumPy corrcoef",
            "ms_ssim, vif": "direct version of the papers with SciPy convolve2d",
            "noise": "direct version with NumPy fft2 and lstsq",
            "regions": "NumPy",
        },
        "pairs": list(pairs(rng)),
        "large": list(large(rng)),
        "stack": stack(rng),
        "regions": regions(rng),
        "noise": noise(rng),
    }
    text = json.dumps(document, default=lambda x: x.tolist(), allow_nan=False, separators=(",", ":"))
    sys.stdout.write(text.replace(',"', ',\n"') + "\n")


main()
