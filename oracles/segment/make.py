"""Golden values of the segmentation metrics, from surface-distance, SimpleITK, scikit-image, scikit-learn and SciPy.

    python3 oracles/segment/make.py > crates/kd-metrics/tests/oracle/segment.json

Masks are strings of 0 and 1, last axis fastest. They are lopsided, on grids whose axes differ in length and spacing, and
the prediction is never as large as the truth, so that a swap of arguments or axes shows. Where no tool has the figure
(lesions, panoptic quality, calibration of a mask) an independent brute-force version is written here.
"""

import importlib.metadata
import itertools
import json
import platform
import sys

import numpy as np
import SimpleITK as sitk
import surface_distance
from scipy import ndimage
from skimage import measure
from sklearn import metrics

PACKAGES = ["numpy", "scipy", "scikit-image", "scikit-learn", "SimpleITK", "surface-distance"]
SEED = 20240917
# The released surface-distance uses two names that NumPy 2 dropped.
np.Inf, np.NaN = np.inf, np.nan


def text(mask):
    return "".join("01"[int(x)] for x in mask.ravel())


def ellipsoid(shape, centre, radii, tilt=0.0):
    z = np.meshgrid(*[np.arange(n, dtype=float) for n in shape], indexing="ij")
    d = [(z[a] - centre[a] - tilt * z[-1]) / radii[a] for a in range(len(shape))]
    return sum(x * x for x in d) <= 1


def finite(x):
    return "inf" if np.isinf(x) else float(x)


def overlap(prediction, truth, spacing):
    p, t = (sitk.GetImageFromArray(x.astype(np.uint8)) for x in (prediction, truth))
    for image in (p, t):
        image.SetSpacing([float(s) for s in reversed(spacing)])
    # SimpleITK counts errors against the truth where the truth is the source.
    f = sitk.LabelOverlapMeasuresImageFilter()
    f.Execute(t, p)
    out = {"dice": f.GetDiceCoefficient(), "iou": f.GetJaccardCoefficient()}
    out["sensitivity"] = metrics.recall_score(truth.ravel(), prediction.ravel())
    out["precision"] = metrics.precision_score(truth.ravel(), prediction.ravel())
    sizes = []
    for image in (p, t):
        shape = sitk.LabelShapeStatisticsImageFilter()
        shape.Execute(image)
        sizes.append(shape.GetPhysicalSize(1))
    out["sizes_mm"] = sizes
    return out


def surfaces(prediction, truth, spacing, tolerances):
    d = surface_distance.compute_surface_distances(truth, prediction, spacing)
    gt, pred = surface_distance.compute_average_surface_distance(d)
    pooled = sum((d[f"distances_{a}"] * d[f"surfel_areas_{b}"]).sum() for a, b in (("gt_to_pred", "gt"), ("pred_to_gt", "pred")))
    return {
        "areas": [d["surfel_areas_pred"].sum(), d["surfel_areas_gt"].sum()],
        "pieces": [len(d["surfel_areas_pred"]), len(d["surfel_areas_gt"])],
        "means_mm": [pred, gt],
        "assd_mm": pooled / (d["surfel_areas_gt"].sum() + d["surfel_areas_pred"].sum()),
        "hausdorff": [[q, finite(surface_distance.compute_robust_hausdorff(d, q))] for q in (50, 90, 95, 99, 100)],
        "surface_dice": [[mm, surface_distance.compute_surface_dice_at_tolerance(d, mm)] for mm in tolerances],
    }


def labels_of(mask, rank):
    """Connected components by SciPy, after scikit-image found the same partition."""
    out, n = ndimage.label(mask, ndimage.generate_binary_structure(mask.ndim, rank))
    other = measure.label(mask, connectivity=rank)
    assert other.max() == n and len(set(zip(out.ravel().tolist(), other.ravel().tolist()))) == n + (not mask.all())
    return out, n


def lesions(prediction, truth, rank, share):
    """ISLES 2022: detections among the lesions of the truth; a component of the prediction without truth is an alarm."""
    (a, true), (b, predicted) = labels_of(truth, rank), labels_of(prediction, rank)

    def met(components, n, other):
        hit = [other[components == i].mean() for i in range(1, n + 1)]
        return sum(x > 0 if share is None else x >= share for x in hit)

    detected, alarms = met(a, true, prediction), predicted - met(b, predicted, truth)
    return {
        "connectivity": rank,
        "share": share,
        "counts": [true, int(detected), predicted, int(alarms)],
        "f1": detected / (detected + 0.5 * (true - detected + alarms)),
    }


def panoptic(prediction, truth, rank):
    (t, n), (p, m) = labels_of(truth, rank), labels_of(prediction, rank)
    ious = [((p == i) & (t == j)).sum() / ((p == i) | (t == j)).sum() for i in range(1, m + 1) for j in range(1, n + 1)]
    ious = [x for x in ious if x > 0.5]
    assert len(ious) > 0
    return {"counts": [n, m, len(ious)], "quality": sum(ious) / (len(ious) + 0.5 * (n + m - 2 * len(ious))), "segmentation": np.mean(ious)}


def pair_case(name, prediction, truth, spacing, tolerances):
    return {
        "name": name,
        "shape": truth.shape,
        "spacing_mm": spacing,
        "prediction": text(prediction),
        "truth": text(truth),
        "overlap": overlap(prediction, truth, spacing),
        "surfaces": surfaces(prediction, truth, spacing, tolerances),
    }


def pairs(rng):
    shape, spacing = (9, 14, 17), (2.5, 0.8, 0.6)
    truth = ellipsoid(shape, (4, 6, 8), (2.6, 4.5, 5.5), 0.1)
    yield pair_case("tilted", ellipsoid(shape, (3.4, 6.5, 6.5), (2.2, 4.0, 4.5)), truth, spacing, (0, 0.6, 0.8, 1.0, 2.5, 4))
    truth = ellipsoid(shape, (0, 2, 12), (3, 6, 8))
    yield pair_case("at the border", ellipsoid(shape, (1, 1, 14), (3, 5, 6)), truth, spacing, (0, 0.6, 1.2, 3))
    truth = rng.random((10, 9, 11)) < 0.45
    yield pair_case("noise", rng.random(truth.shape) < 0.35, truth, (1.1, 0.9, 1.7), (0, 0.9, 1.1, 1.7))
    truth = ellipsoid((23, 31), (10, 17), (7, 9), 0.2)
    yield pair_case("plane", ellipsoid((23, 31), (12, 14), (6, 10)) ^ (rng.random(truth.shape) < 0.02), truth, (0.7, 1.1), (0, 0.7, 1.1, 2))
    truth = np.zeros((6, 7, 8), bool)
    truth[1, 2, 3] = True
    prediction = np.zeros_like(truth)
    prediction[4, 5, 6] = prediction[4, 5, 7] = True
    yield pair_case("two points", prediction, truth, (3.0, 2.0, 0.5), (0, 7.5, 11))


def distance_maps(rng):
    for shape, spacing, share in (((6, 9, 7), (2.5, 0.8, 0.6), 0.02), ((11, 13), (0.7, 1.1), 0.04), ((5, 6, 4), (1.0, 1.0, 1.0), 0.3)):
        features = rng.random(shape) < share
        features[(0,) * len(shape)] = True
        mm = ndimage.distance_transform_edt(~features, sampling=spacing)
        yield {"shape": shape, "spacing_mm": spacing, "features": text(features), "mm": mm.ravel()}


def cell_areas(spacing):
    """Area of the surface of each of the 255 masks of 2 x 2 x 2 points."""
    out = []
    for code in range(1, 256):
        mask = np.array([code >> (7 - i) & 1 for i in range(8)], bool).reshape(2, 2, 2)
        out.append(surface_distance.compute_surface_distances(mask, mask, spacing)["surfel_areas_gt"].sum())
    return {"spacing_mm": spacing, "areas": out}


def components(rng):
    for shape, share in (((6, 9, 11), 0.3), ((17, 13), 0.45)):
        mask = rng.random(shape) < share
        found = [labels_of(mask, rank) for rank in range(1, len(shape) + 1)]
        yield {"shape": shape, "mask": text(mask), "labels": [labels.ravel() for labels, _ in found], "counts": [n for _, n in found]}


def instance_case(rng):
    shape = (8, 20, 24)
    blobs = [((2, 4, 4), (2, 3, 3)), ((5, 13, 6), (2, 4, 3)), ((4, 5, 16), (3, 3, 4)), ((2, 15, 19), (1.5, 2, 2)), ((6, 10, 21), (1, 1, 1))]
    truth = np.any([ellipsoid(shape, c, r) for c, r in blobs], axis=0)
    moved = [((2, 4, 5), (2, 3, 3)), ((5, 15, 8), (2, 3, 3)), ((4, 5, 16), (3, 3, 3)), ((2, 18, 12), (1, 1, 2)), ((7, 1, 22), (1, 1, 1))]
    prediction = np.any([ellipsoid(shape, c, r) for c, r in moved], axis=0)
    out = {"shape": shape, "prediction": text(prediction), "truth": text(truth), "lesions": [], "panoptic": panoptic(prediction, truth, 1)}
    for rank, share in itertools.product((1, 3), (None, 0.25, 0.6)):
        out["lesions"].append(lesions(prediction, truth, rank, share))
    return out


def ece(p, truth, bins):
    """By the definition, bin by bin; the first bin holds 0 too."""
    total = 0.0
    for b in range(bins):
        inside = (p > b / bins) & (p <= (b + 1) / bins) | ((b == 0) & (p == 0))
        if inside.any():
            total += inside.sum() * abs(truth[inside].mean() - p[inside].mean())
    return total / len(p)


def calibration_case(rng):
    shape = (5, 12, 15)
    truth = ellipsoid(shape, (2, 5, 6), (1.5, 3, 4))
    p = np.round(np.clip(0.62 * truth + 0.12 + rng.normal(0, 0.12, shape), 0, 1), 3)
    near = truth | (p > 0.5)
    z, y, x = np.nonzero(truth)
    box = np.zeros_like(truth)
    box[max(z.min() - 2, 0) : z.max() + 3, max(y.min() - 2, 0) : y.max() + 3, max(x.min() - 2, 0) : x.max() + 3] = True
    out = {"shape": shape, "truth": text(truth), "probabilities": p.ravel(), "cut": 0.5, "margin": 2, "bins": 7}
    for name, region in (("all", np.ones_like(truth)), ("foreground", near), ("box", box)):
        out[name] = ece(p[region], truth[region], 7)
    return out


def main():
    rng = np.random.default_rng(SEED)
    document = {
        "made_by": "oracles/segment/make.py",
        "versions": {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in PACKAGES},
        "seed": SEED,
        "sources": {
            "overlap": "SimpleITK LabelOverlapMeasures and LabelShapeStatistics, scikit-learn recall and precision",
            "surfaces": "surface-distance",
            "distance_maps": "SciPy distance_transform_edt",
            "components": "SciPy label, checked against scikit-image label",
            "instances, calibration": "independent brute force of the stated definition",
        },
        "pairs": list(pairs(rng)),
        "distance_maps": list(distance_maps(rng)),
        "cell_areas": cell_areas((1.3, 0.7, 2.9)),
        "components": list(components(rng)),
        "instances": instance_case(rng),
        "calibration": calibration_case(rng),
    }
    text = json.dumps(document, default=lambda x: x.tolist(), allow_nan=False, separators=(",", ":"))
    sys.stdout.write(text.replace(',"', ',\n"') + "\n")


main()
