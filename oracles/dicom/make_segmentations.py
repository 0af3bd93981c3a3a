"""DICOM segmentations of a small series, made by highdicom, and the labels that highdicom reads back out of them.

    V/bin/python make_segmentations.py > ../../crates/kd-data/tests/oracle/dicom_segmentations.json

V is an environment with oracles/requirements.txt. Labels are segment numbers, ordered [slice, row, column] of the series
with its slices along their normal; each voxel of a mask goes to the voxel of the series that is nearest to it.
"""

import importlib.metadata
import io
import json
import platform
import warnings

import highdicom
import numpy as np
import pydicom
from highdicom.seg import Segmentation, SegmentAlgorithmTypeValues, SegmentDescription, SegmentationTypeValues
from instances import base, text, turned, written
from pydicom.sr.codedict import codes

warnings.simplefilter("ignore")
SEED = 21
rng = np.random.default_rng(SEED)
CT = "1.2.840.10008.5.1.4.1.1.2"
DEPTH, ROWS, COLUMNS = 4, 5, 6
ROW_MM, COLUMN_MM, SLICE_MM = 0.8, 0.6, 2.5
ORIGIN = np.array([12.3, -45.6, 78.9])
AXES = turned(0.31, -0.22, 0.47)
ALONG_ROW, DOWN_COLUMN, NORMAL = AXES.T
ALGORITHM = SegmentAlgorithmTypeValues.MANUAL


def place(k, row=0, column=0):
    return ORIGIN + ALONG_ROW * COLUMN_MM * column + DOWN_COLUMN * ROW_MM * row + NORMAL * SLICE_MM * k


def slices():
    found = []
    for k in range(DEPTH):
        ds = base(CT, k + 1, ROWS, COLUMNS)
        ds.Modality, ds.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.PatientBirthDate, ds.PatientSex, ds.AccessionNumber, ds.StudyID, ds.StudyTime = "", "", "", "", ""
        ds.ReferringPhysicianName, ds.SeriesNumber, ds.InstanceNumber = "", "1", str(k + 1)
        ds.ImagePositionPatient, ds.ImageOrientationPatient = text(place(k)), text([*ALONG_ROW, *DOWN_COLUMN])
        ds.PixelSpacing, ds.SliceThickness = text([ROW_MM, COLUMN_MM]), "2.5"
        ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
        ds.PixelData = rng.integers(0, 4095, (ROWS, COLUMNS), endpoint=True).astype("<u2").tobytes()
        ds["PixelData"].VR = "OW"
        found.append(ds)
    return found


def describe(number, label):
    return SegmentDescription(number, label, codes.SCT.Tissue, codes.SCT.Tissue, ALGORITHM)


def segmentation(source, pixels, kind, labels, **more):
    return Segmentation(
        source_images=source,
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=[describe(n + 1, label) for n, label in enumerate(labels)],
        series_instance_uid="1.2.3.77",
        series_number=2,
        sop_instance_uid="1.2.3.78",
        instance_number=1,
        manufacturer="oracle",
        manufacturer_model_name="oracle",
        software_versions="1",
        device_serial_number="1",
        **more,
    )


def labels_of(file):
    """What highdicom finds, voxel by voxel of the series."""
    seg = highdicom.seg.segread(io.BytesIO(file))
    volume = seg.get_volume(combine_segments=True)
    grid = np.array([place(k, r, c) for k in range(DEPTH) for r in range(ROWS) for c in range(COLUMNS)])
    labels = np.zeros(len(grid), int)
    for index in np.argwhere(volume.array):
        at = (volume.affine @ [*index, 1.0])[:3]
        distance = np.linalg.norm(grid - at, axis=1)
        assert distance.min() < 1e-3, distance.min()
        labels[distance.argmin()] = volume.array[tuple(index)]
    return labels.tolist()


def steady(ds):
    """Replaces what is another one each time: dates, times, and UIDs that were drawn."""
    drawn = {}
    for element in ds.iterall():
        if element.VR in ("DA", "TM", "DT") and element.value:
            element.value = {"DA": "20010203", "TM": "040506", "DT": "20010203040506"}[element.VR]
        elif element.VR == "UI" and str(element.value).startswith("1.2.826."):
            element.value = drawn.setdefault(element.value, f"1.2.3.90.{len(drawn)}")


def case(name, seg, names, change=lambda ds: None):
    ds = pydicom.dcmread(io.BytesIO(written(seg)))
    change(ds)
    steady(ds)
    file = written(ds)
    return {"name": name, "file": file.hex(), "names": names, "labels": labels_of(file)}


def shuffle(ds):
    """Frames in another order: each goes with its pixels."""
    order = rng.permutation(int(ds.NumberOfFrames))
    pixels = ds.pixel_array[order]
    ds.PixelData = np.packbits(pixels.reshape(-1), bitorder="little").tobytes()
    ds.PixelData += b"\0" * (len(ds.PixelData) % 2)
    ds.PerFrameFunctionalGroupsSequence = [ds.PerFrameFunctionalGroupsSequence[n] for n in order]


def latin(ds):
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SegmentSequence[1].SegmentLabel = "läsion"


source = slices()
truth = np.zeros((DEPTH, ROWS, COLUMNS), np.uint8)
truth[0, 1:4, 2:5], truth[2, 2, 1:5], truth[3, 0, 0], truth[0, 4, 0] = 1, 2, 2, 2
# A window of the grid that runs against it: the first pixel is the last voxel of rows and columns.
window = np.zeros((2, 3, 4), np.uint8)
window[0, 0, 0], window[0, 1, 2], window[1, 2, 3] = 1, 1, 1
against = {
    "pixel_measures": highdicom.PixelMeasuresSequence([ROW_MM, COLUMN_MM], SLICE_MM, SLICE_MM),
    "plane_orientation": highdicom.PlaneOrientationSequence("PATIENT", [*-ALONG_ROW, *-DOWN_COLUMN]),
    "plane_positions": [highdicom.PlanePositionSequence("PATIENT", place(k, ROWS - 1, COLUMNS - 1)) for k in (1, 2)],
}
BINARY, LABEL_MAP = SegmentationTypeValues.BINARY, SegmentationTypeValues.LABELMAP
cases = [
    case("binary, planes left out", segmentation(source, truth, BINARY, ["liver", "lesion"]), ["liver", "lesion"]),
    case("binary, frames shuffled", segmentation(source, truth, BINARY, ["liver", "lesion"]), ["liver", "lesion"], shuffle),
    case("label map", segmentation(source, truth, LABEL_MAP, ["liver", "lesion"]), ["liver", "lesion"]),
    case("a window that runs against the grid", segmentation(source, window, BINARY, ["liver"], **against), ["liver"]),
    case("a name in Latin-1", segmentation(source, truth, BINARY, ["liver", "lesion"]), ["liver", "läsion"], latin),
]
packages = ["numpy", "pydicom", "highdicom"]
versions = {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in packages}
told = {"versions": versions, "seed": SEED, "shape": [DEPTH, ROWS, COLUMNS]}
told["series"] = [written(ds).hex() for ds in source]
told["cases"] = cases
print(json.dumps(told, separators=(",", ":"), ensure_ascii=False))
