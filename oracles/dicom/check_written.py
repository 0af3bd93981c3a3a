"""What pydicom, highdicom, SimpleITK and a validator of the standard find in the DICOM files that kd writes.

    cargo test --release -p kd-data --test format_dicom_write   # leaves the files below target/tmp/written_dicom
    V/bin/python check_written.py FOLDER > ../../crates/kd-data/tests/oracle/dicom_written.json

V is an environment with oracles/requirements.txt; dciodvfy comes with Debian's dicom3tools. Affines are turned
from DICOM's LPS to RAS axes here; values are ordered [slice, row, column].
"""

import hashlib
import importlib.metadata
import json
import pathlib
import platform
import subprocess
import sys

import highdicom
import numpy as np
import pydicom
import SimpleITK

FOLDER = pathlib.Path(sys.argv[1])
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def series(name):
    """A volume through SimpleITK, whose order of slices is that of their positions."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(FOLDER / name)))
    image = reader.Execute()
    spacing, origin = np.array(image.GetSpacing()), np.array(image.GetOrigin())
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * spacing
    affine[:3, 3] = origin
    values = SimpleITK.GetArrayFromImage(image).astype(np.float64)
    # SimpleITK gives back integers for whole slopes; pydicom's values are those of the standard.
    for path in sorted((FOLDER / name).glob("*.dcm")):
        one = pydicom.dcmread(path)
        place = np.array([float(v) for v in one.ImagePositionPatient])
        index = np.rint(np.linalg.solve(affine[:3, :3], place - origin)).astype(int)
        assert index[0] == 0 and index[1] == 0
        stored = one.pixel_array.astype(np.float64)
        meant = stored * float(one.get("RescaleSlope", 1)) + float(one.get("RescaleIntercept", 0))
        assert np.abs(values[index[2]] - meant).max() < 1e-3, name
        values[index[2]] = meant
    return {"affine": (LPS_TO_RAS @ affine).tolist(), "values": values.tolist()}


def segmentation(name):
    seg = highdicom.seg.segread(FOLDER / f"{name}.dcm")
    fractional = seg.SegmentationType == "FRACTIONAL"
    source = {}
    for path in sorted((FOLDER / "ct").glob("*.dcm")):
        one = pydicom.dcmread(path)
        source[one.SOPInstanceUID] = [float(v) for v in one.ImagePositionPatient]
    instances = list(source)
    values = seg.get_pixels_by_source_instance(
        instances, assert_missing_frames_are_empty=True, rescale_fractional=fractional, dtype=np.float64 if fractional else np.uint8
    )
    # Slices in the order of the source's volume: along the normal.
    first = pydicom.dcmread(next((FOLDER / "ct").glob("*.dcm")))
    axes = np.array([float(v) for v in first.ImageOrientationPatient]).reshape(2, 3)
    normal = np.cross(axes[0], axes[1])
    order = np.argsort([np.dot(normal, source[instance]) for instance in instances])
    matches = all(
        np.allclose(
            [float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient],
            source[frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID],
            atol=1e-6,
        )
        for frame in seg.PerFrameFunctionalGroupsSequence
    )
    segments = []
    for number in seg.segment_numbers:
        description = seg.get_segment_description(number)
        segments.append(
            {
                "label": description.segment_label,
                "algorithm": description.algorithm_type.value,
                "values": values[order, :, :, number - 1].astype(np.float64).tolist(),
            }
        )
    return {
        "type": seg.SegmentationType,
        "frames": int(seg.NumberOfFrames),
        "references_match_positions": bool(matches),
        "segments": segments,
    }


def validator_errors():
    """Errors of dciodvfy; without a scanner there is no value for these, and the standard has none for phantoms."""
    found = []
    for path in sorted(FOLDER.rglob("*.dcm")):
        ran = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        lines = (ran.stderr + ran.stdout).splitlines()
        found += [f"{path.relative_to(FOLDER)}: {line}" for line in lines if line.startswith("Error")]
    return found


SAME = ["PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"]
one = pydicom.dcmread(FOLDER / "ct/0001.dcm")
others = [pydicom.dcmread(path) for path in sorted(FOLDER.glob("*.dcm")) + sorted((FOLDER / "derived").glob("*.dcm"))]
shared = all(other[keyword].value == one[keyword].value for other in others for keyword in SAME)
shared = shared and all(other.SeriesInstanceUID != one.SeriesInstanceUID for other in others)

copies = [pydicom.dcmread(path) for path in sorted((FOLDER / "deidentified").rglob("*.dcm"))]
instances = {str(copy.SOPInstanceUID) for copy in copies}
referred = {str(source.ReferencedSOPInstanceUID) for copy in copies for source in copy.get("SourceImageSequence", [])}
meet = len(referred) == 3 and referred < instances
meet = meet and all(copy.PatientIdentityRemoved == "YES" and copy.PatientID != one.PatientID for copy in copies)

json.dump(
    {
        "programs": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("pydicom", "highdicom", "SimpleITK", "numpy")},
            "dicom3tools": subprocess.run(
                ["dpkg-query", "-W", "-f", "${Version}", "dicom3tools"], capture_output=True, text=True, check=True
            ).stdout,
        },
        "sha256": {
            str(path.relative_to(FOLDER)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(FOLDER.rglob("*.dcm"))
        },
        "validator_errors": validator_errors(),
        "shared_with_source": bool(shared),
        "deidentified_references_meet": bool(meet),
        "volumes": {name: series(name) for name in ("ct", "mr", "derived")},
        "segmentations": {name: segmentation(name) for name in ("binary", "nothing", "fractional")},
    },
    sys.stdout,
    indent=1,
)
print()
