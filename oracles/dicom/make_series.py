"""Small DICOM series, and the volumes that highdicom and SimpleITK make of them.

    V/bin/python make_series.py > ../../crates/kd-data/tests/oracle/dicom_series.json

V is an environment with oracles/requirements.txt. Files are stored shuffled, with instance numbers, slice
locations and stated distances that mislead. Affines are turned from DICOM's LPS to RAS axes here. Volumes of single
frames are read by both programs, which have to agree; enhanced files by highdicom.
"""

import importlib.metadata
import io
import json
import pathlib
import platform
import tempfile
import warnings

import highdicom
import numpy as np
import pydicom
import SimpleITK
from instances import base, text, turned, written
from pydicom.dataset import Dataset

warnings.simplefilter("ignore")
SEED = 8
rng = np.random.default_rng(SEED)
CT, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4.1"
TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def record(name, files, affine, values):
    """`affine` maps (column, row, slice) to RAS; `values` are [slice, row, column]."""
    order = rng.permutation(len(files))
    return {
        "name": name,
        "files": [files[i].hex() for i in order],
        "affine": affine.reshape(-1).tolist(),
        "shape": list(values.shape),
        "values": np.asarray(values, np.float32).astype(float).reshape(-1).tolist(),
    }


def classic(name, directions, spacing, thickness, origin, n=5, rows=3, columns=4, modality="CT", slopes=None, down=False):
    """`directions` are columns of a rotation: along a row, down a column, across slices."""
    files = []
    for k in range(n):
        ds = base(CT, k + 1, rows, columns)
        position = np.asarray(origin) + directions[:, 2] * thickness * k * (-1 if down else 1)
        ds.Modality = modality
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.ImagePositionPatient, ds.ImageOrientationPatient = text(position), text([*directions[:, 0], *directions[:, 1]])
        ds.PixelSpacing, ds.SliceThickness, ds.SpacingBetweenSlices = text(spacing), "9", "7.5"
        ds.InstanceNumber, ds.SliceLocation = int((k * 3) % n), float((k * 7) % 5)
        ds.RescaleSlope, ds.RescaleIntercept = (str(slopes[k]), "0") if slopes else ("1", "-1024")
        ds.PixelData = rng.integers(0, 4095, (rows, columns), endpoint=True).astype("<u2").tobytes()
        ds["PixelData"].VR = "OW"
        files.append(written(ds))
    sets = [pydicom.dcmread(io.BytesIO(f)) for f in files]
    volume = highdicom.get_volume_from_series(sets, apply_real_world_transform=False, apply_modality_transform=True)
    # highdicom: (slice, row, column) to LPS.
    affine = TO_RAS @ volume.affine[:, [2, 1, 0, 3]]
    values = volume.array
    with tempfile.TemporaryDirectory() as folder:
        for k, file in enumerate(files):
            (pathlib.Path(folder) / f"{k}.dcm").write_bytes(file)
        names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(folder)
        itk = SimpleITK.ReadImage(names)
    itk_affine = np.eye(4)
    itk_affine[:3, :3] = np.reshape(itk.GetDirection(), (3, 3)) @ np.diag(itk.GetSpacing())
    itk_affine[:3, 3] = itk.GetOrigin()
    itk_affine, itk_values = TO_RAS @ itk_affine, SimpleITK.GetArrayFromImage(itk)
    if np.sign(itk_affine[:3, 2] @ affine[:3, 2]) < 0:
        affine[:3, 3] += affine[:3, 2] * (n - 1)
        affine[:3, 2] *= -1
        values = values[::-1]
    assert np.allclose(itk_affine, affine, atol=1e-4), (itk_affine, affine)
    if not slopes:  # ITK takes one slope for all slices
        assert np.array_equal(itk_values, values)
    return record(name, files, affine, values)


def enhanced(name, directions, spacing, gap, origin, n=4, rows=3, columns=5):
    ds = base(ENHANCED_MR, 1, rows, columns)
    ds.Modality, ds.NumberOfFrames, ds.ImageType = "MR", n, ["ORIGINAL", "PRIMARY", "M", "NONE"]
    shared, frames = Dataset(), []
    order = rng.permutation(n)
    for k in order:
        position, content, transform = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = text(np.asarray(origin) + directions[:, 2] * gap * k)
        content.StackID, content.InStackPositionNumber, content.DimensionIndexValues = "1", int(k + 1), [1, int(k + 1)]
        transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = str(0.5 + k), "-3", "US"
        frame = Dataset()
        frame.PlanePositionSequence, frame.FrameContentSequence = [position], [content]
        frame.PixelValueTransformationSequence = [transform]
        frames.append(frame)
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = text(spacing), "9"
    orientation.ImageOrientationPatient = text([*directions[:, 0], *directions[:, 1]])
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], frames
    organization = Dataset()
    organization.DimensionOrganizationUID = "1.2.3.9"
    ds.DimensionOrganizationSequence = [organization]
    indices = []
    for pointer in (0x00209056, 0x00209057):
        index = Dataset()
        index.DimensionIndexPointer, index.FunctionalGroupPointer = pointer, 0x00209111
        index.DimensionOrganizationUID = "1.2.3.9"
        indices.append(index)
    ds.DimensionIndexSequence = indices
    ds.PixelData = rng.integers(0, 4095, (n, rows, columns), endpoint=True).astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    file = written(ds)
    image = highdicom.imread(io.BytesIO(file))
    volume = image.get_volume(apply_real_world_transform=False, apply_modality_transform=True)
    affine, values = TO_RAS @ volume.affine[:, [2, 1, 0, 3]], volume.array
    normal = TO_RAS[:3, :3] @ np.cross(directions[:, 0], directions[:, 1])
    if affine[:3, 2] @ normal < 0:
        affine[:3, 3] += affine[:3, 2] * (n - 1)
        affine[:3, 2] *= -1
        values = values[::-1]
    return record(name, [file], affine, values)


axial = np.eye(3)
sagittal = np.array([[0, 0, -1.0], [1, 0, 0], [0, -1, 0]])
oblique = turned(0.31, -0.22, 0.47)
series = [
    classic("axial", axial, [0.7, 0.9], 2.5, [-100.3, -80.1, 40.7]),
    classic("axial, written from head to foot", axial, [0.7, 0.9], 2.5, [-100.3, -80.1, 40.7], down=True),
    classic("sagittal", sagittal, [1.1, 0.6], 1.25, [33.1, -90.4, 120.9]),
    classic("oblique and anisotropic", oblique, [0.5, 0.8], 3.3, [12.3, -45.6, 78.9]),
    classic("a slope of each slice", axial, [4.0, 4.1], 3.27, [1, 2, 3], modality="PT", slopes=[0.37, 1.9, 0.02, 4.4, 0.9]),
    enhanced("enhanced, oblique, frames shuffled", oblique, [0.6, 0.9], 1.7, [3.1, -5.2, 7.7]),
]
packages = ["numpy", "pydicom", "highdicom", "SimpleITK"]
versions = {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in packages}
lines = ",\n".join(json.dumps(s, separators=(",", ":")) for s in series)
print(f'{{"versions": {json.dumps(versions)}, "seed": {SEED}, "series": [\n{lines}\n]}}')
