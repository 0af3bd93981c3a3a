//! From TOML's spelling to typed values: each rule of a manifest stands here once.

use std::collections::BTreeSet;

use kd_image::{DatasetId, Intensity};

use super::error::KeyProblem;
use super::raw::{RawCitation, RawFile, RawImage, RawLicense, RawManifest, RawMask, RawSource, RawSplit};
use super::{
    Citation, Counts, ImageFacts, ImageSize, Layout, License, Manifest, MaskValues, Source, SourceFile, SplitPolicy,
    SplitShares, Task, is_dataset_name,
};
use crate::digest::Checksum;

type Checked<T> = Result<T, KeyProblem>;

impl TryFrom<RawManifest> for Manifest {
    type Error = KeyProblem;

    fn try_from(raw: RawManifest) -> Checked<Self> {
        let name = text(raw.name, "name", "the name it goes by", "write `name = \"my-set\"`")?;
        let id = DatasetId::new(name.as_str()).ok().filter(|_| is_dataset_name(&name));
        let name = id.ok_or_else(|| {
            let expected = "1 to 64 lower-case letters, digits, `-`, `_` or `.`, a letter or digit first";
            KeyProblem::new("name", format!("`{name}`"), expected, "write for example `name = \"my-set\"`")
        })?;
        let title = text(raw.title, "title", "the name that people read", "write `title = \"My set\"`")?;
        let task = task(raw.task)?;
        let classes = classes(raw.classes, raw.positive, task)?;
        let image = image(raw.image, task)?;
        let mask = mask(raw.mask, task, &classes)?;
        let license = license(raw.license)?;
        let citation = citation(raw.citation)?;
        let counts = raw.counts.map(|n| Counts { train: n.train, val: n.val, test: n.test });
        let held_out = raw.split.as_ref().map_or_else(Vec::new, |split| split.held_out.clone());
        let split = split(raw.split)?;
        let source = source(raw.source)?;
        check_subgroups(&source, &held_out)?;
        if (source.layout == Layout::Generator) != raw.generator.is_some() {
            return Err(match raw.generator {
                Some(_) => KeyProblem::new(
                    "generator",
                    format!("given for layout `{}`", source.layout.name()),
                    "no such table, or `source.layout = \"generator\"`",
                    "remove the table [generator]",
                ),
                None => KeyProblem::missing("generator", "the generator's parameters", "add a table [generator]"),
            });
        }
        check_layout(source.layout, task)?;
        Ok(Self {
            name,
            title,
            task,
            classes,
            image,
            mask,
            license,
            citation,
            source,
            counts,
            split,
            held_out,
            notes: raw.notes,
            generator: raw.generator,
        })
    }
}

/// Subgroups stand beside masks, and only a named one can be held out.
fn check_subgroups(source: &Source, held_out: &[String]) -> Checked<()> {
    if let Some(file) = source.subgroups.as_ref().filter(|_| !source.layout.has_masks()) {
        let expected = "no such key: subgroups are known for images with masks";
        return Err(KeyProblem::new("source.subgroups", format!("`{file}`"), expected, "remove the key"));
    }
    match held_out.first() {
        Some(name) if source.subgroups.is_none() => Err(KeyProblem::new(
            "split.held_out",
            format!("`{name}`"),
            "no such key, or a file of subgroups",
            "name a CSV with the columns `file,subgroup` as `source.subgroups`",
        )),
        _ => Ok(()),
    }
}

/// Whether a layout holds answers of a task; a generator makes whichever it is asked for.
fn check_layout(layout: Layout, task: Task) -> Checked<()> {
    let (fits, expected) = match task {
        Task::Segmentation => (layout.has_masks(), "image-masks, nifti-masks or generator for segmentation"),
        Task::Enhancement => (layout.has_volumes(), "nifti-volumes, dicom-series or generator for enhancement"),
        _ => (!layout.has_masks() && !layout.has_volumes(), "medmnist-npz, image-folder or generator for classes"),
    };
    if fits || layout == Layout::Generator {
        return Ok(());
    }
    let found = format!("`{}` for task `{}`", layout.name(), task.name());
    Err(KeyProblem::new("source.layout", found, expected, "correct `task` or `source.layout`"))
}

fn text(value: Option<String>, key: &str, expected: &str, hint: &str) -> Checked<String> {
    match value {
        None => Err(KeyProblem::missing(key, expected, hint)),
        Some(text) if text.trim().is_empty() => Err(KeyProblem::new(key, "empty", expected, hint)),
        Some(text) => Ok(text),
    }
}

fn task(value: Option<String>) -> Checked<Task> {
    const EXPECTED: &str = "binary, multi-class, multi-label, ordinal, segmentation or enhancement";
    const HINT: &str = "write for example `task = \"multi-class\"`";
    let name = text(value, "task", EXPECTED, HINT)?;
    Task::of_name(&name).ok_or_else(|| KeyProblem::new("task", format!("`{name}`"), EXPECTED, HINT))
}

fn classes(value: Option<Vec<String>>, positive: Option<String>, task: Task) -> Checked<Vec<String>> {
    const HINT: &str =
        "write the names in the order of the labels, for example `classes = [\"normal\", \"pneumonia\"]`";
    if task == Task::Enhancement {
        return match value {
            None => no_positive(positive, task).map(|()| Vec::new()),
            Some(names) => {
                let found = format!("a list of {} for task `{}`", names.len(), task.name());
                let hint = "an image that is enhanced has no class; remove the key";
                Err(KeyProblem::new("classes", found, "no such key", hint))
            }
        };
    }
    let names = value.ok_or_else(|| KeyProblem::missing("classes", "the name of each class", HINT))?;
    let (fits, expected) = match task {
        Task::Binary => (names.len() == 2, "2 names"),
        Task::MultiLabel => (!names.is_empty(), "at least 1 name"),
        Task::MultiClass | Task::Ordinal => (names.len() >= 2, "at least 2 names"),
        Task::Segmentation => (names.len() >= 2, "at least 2 names, the background first"),
        Task::Enhancement => (names.is_empty(), "no names"),
    };
    if !fits {
        let found = format!("a list of {} for task `{}`", names.len(), task.name());
        return Err(KeyProblem::new("classes", found, expected, HINT));
    }
    let mut seen = BTreeSet::new();
    if let Some(name) = names.iter().find(|name| name.trim().is_empty() || !seen.insert(name.as_str())) {
        let found = format!("a list with `{name}` empty or twice");
        return Err(KeyProblem::new("classes", found, "names that differ", HINT));
    }
    const POSITIVE: &str = "the positive class stands second in `classes`; name it again so that nobody has to guess";
    match (task, positive) {
        (Task::Binary, None) => Err(KeyProblem::missing("positive", &format!("`{}`", names[1]), POSITIVE)),
        (Task::Binary, Some(name)) if name != names[1] => {
            Err(KeyProblem::new("positive", format!("`{name}`"), format!("`{}`, the second class", names[1]), POSITIVE))
        }
        (Task::Binary, Some(_)) => Ok(names),
        (_, positive) => no_positive(positive, task).map(|()| names),
    }
}

fn no_positive(positive: Option<String>, task: Task) -> Checked<()> {
    let Some(name) = positive else { return Ok(()) };
    let found = format!("`{name}` for task `{}`", task.name());
    let hint = "only a binary task has a positive class; remove the key";
    Err(KeyProblem::new("positive", found, "no such key", hint))
}

fn mask(value: Option<RawMask>, task: Task, classes: &[String]) -> Checked<Option<MaskValues>> {
    const HINT: &str = "write [mask] with the number of each class, background first: `values = [0, 255]`, or `values = \"instances\"`";
    let raw = match (value, task) {
        (None, Task::Segmentation) => return Err(KeyProblem::missing("mask", "what the numbers of a mask mean", HINT)),
        (None, _) => return Ok(None),
        (Some(raw), Task::Segmentation) => raw,
        (Some(_), _) => {
            let found = format!("given for task `{}`", task.name());
            return Err(KeyProblem::new("mask", found, "no such table", "only segmentation has masks"));
        }
    };
    let value = raw.values.ok_or_else(|| KeyProblem::missing("mask.values", "a list of numbers", HINT))?;
    let expected = format!("{} numbers from 0 to 65535 that differ, or \"instances\" for 2 classes", classes.len());
    let refused = || KeyProblem::new("mask.values", value.to_string(), expected, HINT);
    match &value {
        toml::Value::String(text) if text == "instances" && classes.len() == 2 => Ok(Some(MaskValues::Instances)),
        toml::Value::Array(values) => {
            let number = |value: &toml::Value| value.as_integer().and_then(|value| u16::try_from(value).ok());
            let numbers: Option<Vec<u16>> = values.iter().map(number).collect();
            let differ = |numbers: &Vec<u16>| numbers.iter().collect::<BTreeSet<_>>().len() == classes.len();
            let numbers = numbers.filter(|numbers| numbers.len() == classes.len() && differ(numbers));
            numbers.map(|numbers| Some(MaskValues::Classes(numbers))).ok_or_else(refused)
        }
        _ => Err(refused()),
    }
}

fn image(value: Option<RawImage>, task: Task) -> Checked<ImageFacts> {
    let raw = value.ok_or_else(|| {
        KeyProblem::missing("image", "a table", "add [image] with channels, size, intensity and bits")
    })?;
    const CHANNELS: &str = "1 for grey or 3 for color";
    let channels = match raw.channels {
        Some(n @ (1 | 3)) => n,
        Some(n @ 1..=64) if matches!(task, Task::Segmentation | Task::Enhancement) => n,
        Some(n) => return Err(KeyProblem::new("image.channels", n.to_string(), CHANNELS, "write `channels = 1`")),
        None => return Err(KeyProblem::missing("image.channels", CHANNELS, "write `channels = 1`")),
    };
    const SIZE: &str = "[rows, columns] or \"varies\"";
    const SIZE_HINT: &str = "write for example `size = [28, 28]`";
    let value = raw.size.ok_or_else(|| KeyProblem::missing("image.size", SIZE, SIZE_HINT))?;
    let side =
        |n: &toml::Value| n.as_integer().and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=1 << 16).contains(n));
    let size = match &value {
        toml::Value::String(text) if text == "varies" => Some(ImageSize::Varies),
        toml::Value::Array(sides) if sides.len() == 2 => {
            side(&sides[0]).zip(side(&sides[1])).map(|(height, width)| ImageSize::Fixed { height, width })
        }
        _ => None,
    };
    let size = size.ok_or_else(|| KeyProblem::new("image.size", value.to_string(), SIZE, SIZE_HINT))?;
    const UNIT: &str = "stored, hounsfield or arbitrary";
    const UNIT_HINT: &str =
        "say what a pixel's number means: `intensity = \"stored\"` with `bits = 8` for ordinary files";
    let unit = text(raw.intensity, "image.intensity", UNIT, UNIT_HINT)?;
    let intensity = match (unit.as_str(), raw.bits) {
        ("stored", Some(bits @ 1..=16)) => Intensity::Stored { bits },
        ("stored", Some(bits)) => {
            return Err(KeyProblem::new("image.bits", bits.to_string(), "1 to 16", "write `bits = 8`"));
        }
        ("stored", None) => return Err(KeyProblem::missing("image.bits", "1 to 16", "write `bits = 8`")),
        (_, Some(bits)) => {
            let found = format!("{bits} for intensity `{unit}`");
            return Err(KeyProblem::new("image.bits", found, "no such key", "only stored values have bits"));
        }
        ("hounsfield", None) => Intensity::Hounsfield,
        ("arbitrary", None) => Intensity::Arbitrary,
        _ => return Err(KeyProblem::new("image.intensity", format!("`{unit}`"), UNIT, UNIT_HINT)),
    };
    Ok(ImageFacts { channels, size, intensity })
}

fn license(value: Option<RawLicense>) -> Checked<License> {
    const EXPECTED: &str = "an SPDX identifier";
    const HINT: &str =
        "write [license] with `spdx = \"CC-BY-4.0\"`, or `LicenseRef-…` and a note for terms without one";
    let raw = value.ok_or_else(|| KeyProblem::missing("license", EXPECTED, HINT))?;
    let spdx = text(raw.spdx, "license.spdx", EXPECTED, HINT)?;
    if !is_spdx(&spdx) {
        return Err(KeyProblem::new("license.spdx", format!("`{spdx}`"), EXPECTED, HINT));
    }
    Ok(License { spdx, note: raw.note })
}

/// Whether a text has the form of an SPDX expression: no list of licenses is kept here.
pub(crate) fn is_spdx(text: &str) -> bool {
    !text.trim().is_empty()
        && text.split(' ').all(|word| {
            let word = word.trim_matches(['(', ')']);
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c))
        })
        && text.split(' ').enumerate().all(|(n, word)| (n % 2 == 1) == matches!(word, "AND" | "OR" | "WITH"))
}

fn citation(value: Option<RawCitation>) -> Checked<Citation> {
    const HINT: &str = "write [citation] with `text = \"authors, title, year\"`, or `text = \"own data\"`";
    let raw = value.ok_or_else(|| KeyProblem::missing("citation", "a table", HINT))?;
    let text = text(raw.text, "citation.text", "whom to cite", HINT)?;
    Ok(Citation { text, doi: raw.doi, homepage: raw.homepage })
}

fn split(value: Option<RawSplit>) -> Checked<SplitPolicy> {
    const EXPECTED: &str = "official or by-subject";
    const HINT: &str =
        "write [split] with `policy = \"official\"`, or `policy = \"by-subject\"` with seed, train, val and test";
    let raw = value.ok_or_else(|| KeyProblem::missing("split", EXPECTED, HINT))?;
    let policy = text(raw.policy, "split.policy", EXPECTED, HINT)?;
    match (policy.as_str(), raw.seed, raw.train, raw.val, raw.test) {
        ("official", None, None, None, None) => Ok(SplitPolicy::Official),
        ("official", ..) => {
            Err(KeyProblem::new("split.policy", "`official` with a seed or shares", "neither of them", HINT))
        }
        ("by-subject", Some(seed), Some(train), Some(val), Some(test)) => {
            let shares = SplitShares::new(train, val, test).map_err(|_| {
                let found = format!("split into {train}, {val}, {test}");
                KeyProblem::new("split.train", found, "three shares above 0 that add up to 1", HINT)
            })?;
            Ok(SplitPolicy::BySubject { seed, shares })
        }
        ("by-subject", ..) => {
            Err(KeyProblem::new("split.policy", "`by-subject` alone", "seed, train, val and test beside it", HINT))
        }
        _ => Err(KeyProblem::new("split.policy", format!("`{policy}`"), EXPECTED, HINT)),
    }
}

fn source(value: Option<RawSource>) -> Checked<Source> {
    const EXPECTED: &str =
        "medmnist-npz, image-folder, generator, image-masks, nifti-masks, nifti-volumes or dicom-series";
    const HINT: &str = "write [source] with `layout = \"medmnist-npz\"` and one [[source.file]] a file";
    let raw = value.ok_or_else(|| KeyProblem::missing("source", "a table", HINT))?;
    let name = text(raw.layout, "source.layout", EXPECTED, HINT)?;
    let layout = Layout::ALL.into_iter().find(|layout| layout.name() == name);
    let layout = layout.ok_or_else(|| KeyProblem::new("source.layout", format!("`{name}`"), EXPECTED, HINT))?;
    let files = raw.file.into_iter().enumerate().map(|(n, file)| source_file(n, file)).collect::<Checked<Vec<_>>>()?;
    let n_files = format!("a list of {}", files.len());
    let is_table = |name| [&raw.groups, &raw.subgroups].into_iter().flatten().any(|table| table == name);
    let arrays = files.iter().filter(|file| !is_table(&file.name)).count();
    if let Some(text) = &raw.obtain {
        let by_hand = layout.has_masks() || layout.has_volumes();
        if text.trim().is_empty() || !files.is_empty() || !by_hand {
            let found = format!("`{text}` for layout `{}` with {} files", layout.name(), files.len());
            let expected = "words, for a set with masks or of volumes without one [[source.file]]";
            return Err(KeyProblem::new(
                "source.obtain",
                found,
                expected,
                "a set with files is downloaded or imported",
            ));
        }
        return Ok(Source { layout, groups: None, subgroups: None, files, obtain: raw.obtain });
    }
    match layout {
        Layout::Generator if !files.is_empty() => {
            return Err(KeyProblem::new("source.file", n_files, "none: a generated set has no files", HINT));
        }
        Layout::MedmnistNpz if arrays != 1 => {
            return Err(KeyProblem::new("source.file", n_files, "one npz and perhaps the groups", HINT));
        }
        Layout::ImageMasks | Layout::NiftiMasks if arrays < 2 => {
            return Err(KeyProblem::new("source.file", n_files, "at least one image and its mask", HINT));
        }
        Layout::ImageFolder | Layout::NiftiVolumes | Layout::DicomSeries if arrays == 0 => {
            return Err(KeyProblem::new("source.file", n_files, "at least one image", HINT));
        }
        _ => {}
    }
    let mut seen = BTreeSet::new();
    if let Some(file) = files.iter().find(|file| !seen.insert(file.name.to_lowercase())) {
        let found = format!("a list with `{}` twice", file.name);
        return Err(KeyProblem::new("source.file", found, "names that differ by more than case", HINT));
    }
    for (key, table) in [("source.groups", &raw.groups), ("source.subgroups", &raw.subgroups)] {
        if let Some(table) = table
            && !files.iter().any(|file| &file.name == table)
        {
            let expected = "the name of one of the files";
            return Err(KeyProblem::new(key, format!("`{table}`"), expected, HINT));
        }
    }
    Ok(Source { layout, groups: raw.groups, subgroups: raw.subgroups, files, obtain: None })
}

fn source_file(n: usize, raw: RawFile) -> Checked<SourceFile> {
    let key = |name: &str| format!("source.file[{n}].{name}");
    let name = text(raw.name, &key("name"), "the file's name", "write `name = \"set.npz\"`")?;
    // A manifest comes from somebody else and decides where a download is written.
    let part_is_safe =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '\0']);
    if !name.split('/').all(part_is_safe) || name == "dataset.toml" {
        let expected = "a name that stays inside of the data set's folder";
        return Err(KeyProblem::new(&key("name"), format!("`{name}`"), expected, "write `name = \"set.npz\"`"));
    }
    if let Some(url) = &raw.url
        && !["https://", "http://"].iter().any(|scheme| url.starts_with(scheme))
    {
        return Err(KeyProblem::new(&key("url"), format!("`{url}`"), "an https address", "write the whole address"));
    }
    const SUM_HINT: &str = "write `sha256 = \"…\"`, or the publisher's `md5 = \"…\"`";
    let checksum = match (raw.md5, raw.sha256) {
        (Some(md5), None) => Checksum::md5(&md5).map_err(|_| ("md5", md5)),
        (None, Some(sha256)) => Checksum::sha256(&sha256).map_err(|_| ("sha256", sha256)),
        (None, None) => return Err(KeyProblem::missing(&key("sha256"), "a checksum", SUM_HINT)),
        (Some(_), Some(_)) => {
            return Err(KeyProblem::new(&key("sha256"), "given beside md5", "one of the two", SUM_HINT));
        }
    };
    let checksum = checksum.map_err(|(method, found)| {
        KeyProblem::new(&key(method), format!("`{found}`"), "hexadecimal digits, 32 for md5, 64 for sha256", SUM_HINT)
    })?;
    Ok(SourceFile { name, url: raw.url, checksum, bytes: raw.bytes })
}
