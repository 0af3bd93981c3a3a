//! Copies of DICOM files without what names a person: the Basic Application Level Confidentiality Profile of PS3.15.

mod clean;
mod private;
mod profile;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub use profile::Retain;

use super::container::Container;
use super::data_set::{DataSet, Encoding};
use super::encode::{self, Encoder};
use super::syntax::Syntax;
use super::tag::{self, Tag};
use crate::format::FormatError;
use crate::format::error::Problem;
use crate::store::{StagedFolder, StoreError, write_atomic};
use clean::{Changes, Cleaner};

const INSTANCE: Tag = Tag(0x0008, 0x0018);
const BURNED_IN: Tag = Tag(0x0028, 0x0301);
const RECOGNIZABLE: Tag = Tag(0x0028, 0x0302);
const BODY_PART: Tag = Tag(0x0018, 0x0015);

/// What makes new identifiers that nobody can trace back: a secret, the same for files that are to stay together.
pub struct Salt([u8; 32]);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}

impl Salt {
    /// A salt that is used once and forgotten.
    ///
    /// # Errors
    /// [`FormatError`] where the system gives no random numbers.
    pub fn random() -> Result<Self, FormatError> {
        let source = Path::new("/dev/urandom");
        let mut bytes = [0; 32];
        std::fs::File::open(source)
            .and_then(|mut file| file.read_exact(&mut bytes))
            .map_err(|error| FormatError::read(source, error))?;
        Ok(Self(bytes))
    }

    /// The salt that a file holds, so that later files of the same patients get the same identifiers.
    ///
    /// # Errors
    /// [`FormatError`] for a file that cannot be read, or of fewer than 16 bytes.
    pub fn of_file(path: &Path) -> Result<Self, FormatError> {
        let bytes = super::super::read_bytes(path, "a secret")?;
        if bytes.len() < 16 {
            let problem = Problem::new("a secret of at least 16 bytes", format!("{} bytes", bytes.len()));
            return Err(problem.hint("make one with `head -c 32 /dev/urandom > FILE`, and keep it").at(path, None));
        }
        Ok(Self(Sha256::digest(&bytes).into()))
    }
}

/// How files are de-identified.
#[derive(Debug)]
pub struct Deidentification {
    /// What is kept beyond the basic profile.
    pub retain: BTreeSet<Retain>,
    /// What new identifiers are made with.
    pub salt: Salt,
}

/// What became of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Group and element as `(0010,0010)`.
    pub attribute: String,
    /// `removed`, `emptied`, `dummy`, `new UID` or `shifted`.
    pub action: &'static str,
    /// Files in which it was there.
    pub files: usize,
}

/// What was done. No value of any file is in it.
#[derive(Debug, Default)]
pub struct Deidentified {
    /// Files that were written.
    pub files: usize,
    /// Patients that they belong to.
    pub subjects: usize,
    /// Series that they belong to.
    pub series: usize,
    /// Every attribute that was changed, in the order of the standard.
    pub changes: Vec<Change>,
    /// Files that do not say that no text is drawn into their pixels.
    pub perhaps_burned_in: usize,
    /// Files that say that it is: they are refused.
    pub burned_in: usize,
    /// Files in which a face may be recognised: those that say so, and heads.
    pub perhaps_recognizable: usize,
    /// Files that were not written, and why.
    pub refused: Vec<FormatError>,
}

impl Deidentified {
    /// What was done, without the names of files.
    #[must_use]
    pub fn without_names(&self, request: &Deidentification) -> Value {
        let option = |option: &Retain| json!({ "name": option.name(), "code": option.code().0 });
        let change = |change: &Change| json!([change.attribute, change.action, change.files]);
        json!({
            "schema": 1,
            "profile": { "standard": "PS3.15 2026c, table E.1-1", "name": "basic", "code": "113100" },
            "retained": request.retain.iter().map(option).collect::<Vec<_>>(),
            "files": self.files,
            "subjects": self.subjects,
            "series": self.series,
            "refused": self.refused.len(),
            "burned_in_annotation": { "yes": self.burned_in, "not_excluded": self.perhaps_burned_in },
            "perhaps_recognizable": self.perhaps_recognizable,
            "changes": self.changes.iter().map(change).collect::<Vec<_>>(),
        })
    }
}

/// Writes copies of DICOM files without what names a person into a new folder, whole or not at all.
///
/// # Policy
/// - Attributes as table E.1-1 of the Basic Application Level Confidentiality Profile says, at every depth. Where the
///   table leaves a choice by kind of object, the one that no kind forbids. Sequences that were to hold a dummy are empty.
/// - Beyond the profile: all private attributes, overlays and curves go, and so does every attribute that the standard
///   does not know; a person's name that the table does not list is emptied.
/// - With [`Retain::SafePrivate`] those private attributes stay that table E.3.10-1 lists under the name of their creator,
///   and that name. Identifiers among them become new ones; one that holds a person's name, a date or a time goes, since
///   none of the table does, and so does a sequence that cannot be looked into. What a file itself calls safe (Private
///   Data Element Characteristics Sequence) is not believed.
/// - Patient ID and name become one salted hash, which is the same in all files of a patient. UIDs become new ones,
///   consistent over all files. Other copies with another salt cannot be joined with these.
/// - With [`Retain::ShiftedDates`] all dates of a patient become the same number of days earlier, one month to ten years,
///   drawn from the salt; times of day stay. A date that is none, or not whole, becomes a dummy.
/// - Each copy says so: Patient Identity Removed, De-identification Method and its codes.
/// - Pixels are copied as they are. Files that say that text is burned into them are refused; those that do not say
///   otherwise are counted, and so are heads, whose faces may be recognised: neither pixels nor faces are looked at.
/// - Objects whose content is text (structured reports, encapsulated documents, presentation states) are refused.
/// - `deidentified.json` beside the copies lists every attribute that was changed, and in how many files.
/// - Copies are named by their new UIDs, `SUBJECT/SERIES/INSTANCE.dcm`; file names often name patients.
///
/// # Errors
/// [`StoreError`] when the folder is there, or writing fails; single files that cannot be copied are in the answer.
///
/// # Source
/// PS3.15 2026c, annex E.
///
/// # Example
/// ```
/// use kd_data::format::{Deidentification, Retain, Salt, deidentify_dicom};
/// # let folder = tempfile::tempdir()?;
/// # let paths = Vec::new();
/// let request = Deidentification { retain: [Retain::PatientCharacteristics].into(), salt: Salt::random()? };
/// let told = deidentify_dicom(&paths, &folder.path().join("copies"), &request)?;
/// assert_eq!((told.files, told.refused.len()), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn deidentify_dicom(paths: &[PathBuf], out: &Path, request: &Deidentification) -> Result<Deidentified, StoreError> {
    let staged = StagedFolder::create(out)?;
    // Written under its number first: which of two files of one instance stays must not hang on which thread was faster.
    let numbered = |number: usize| staged.path().join(format!("{number}.dcm"));
    let copies: Vec<Result<Copied, Refused>> =
        paths.par_iter().enumerate().map(|(number, path)| copy(path, &numbered(number), request)).collect();
    let mut told = Deidentified::default();
    let (mut subjects, mut series) = (BTreeSet::new(), BTreeSet::new());
    let mut changes = BTreeMap::<_, usize>::new();
    let mut placed = BTreeSet::new();
    for (number, copied) in copies.into_iter().enumerate() {
        match copied {
            Ok(copied) if !placed.insert(copied.place.clone()) => {
                let moved = numbered(number);
                std::fs::remove_file(&moved).map_err(|error| StoreError::io("removing", &moved, error))?;
                let problem = Problem::new("an instance of its own in each file", "one that another file has too");
                told.refused.push(problem.at(&paths[number], None));
            }
            Ok(copied) => {
                let [subject, series_uid, instance] = &copied.place;
                let folder = staged.path().join(subject).join(series_uid);
                let place = folder.join(format!("{instance}.dcm"));
                std::fs::create_dir_all(&folder)
                    .and_then(|()| std::fs::rename(numbered(number), &place))
                    .map_err(|error| StoreError::io("moving", &place, error))?;
                told.files += 1;
                told.perhaps_burned_in += usize::from(copied.perhaps_burned_in);
                told.perhaps_recognizable += usize::from(copied.perhaps_recognizable);
                subjects.insert(copied.place[0].clone());
                series.insert(copied.place[1].clone());
                copied.changes.into_iter().for_each(|change| *changes.entry(change).or_default() += 1);
            }
            Err(Refused::BurnedIn(error)) => {
                told.burned_in += 1;
                told.refused.push(error);
            }
            Err(Refused::File(error)) => told.refused.push(error),
            Err(Refused::Store(error)) => return Err(error),
        }
    }
    (told.subjects, told.series) = (subjects.len(), series.len());
    let change = |((tag, action), files): ((Tag, profile::Action), usize)| Change {
        attribute: format!("({:04X},{:04X})", tag.0, tag.1),
        action: action.name(),
        files,
    };
    told.changes = changes.into_iter().map(change).collect();
    if told.files > 0 {
        let json = told.without_names(request).to_string() + "\n";
        write_atomic(&staged.path().join("deidentified.json"), json.as_bytes())?;
        staged.commit()?;
    }
    Ok(told)
}

struct Copied {
    /// Subject, series and instance.
    place: [String; 3],
    changes: Changes,
    perhaps_burned_in: bool,
    perhaps_recognizable: bool,
}

enum Refused {
    File(FormatError),
    BurnedIn(FormatError),
    Store(StoreError),
}

fn copy(path: &Path, copy: &Path, request: &Deidentification) -> Result<Copied, Refused> {
    let refused = |problem: Problem| Refused::File(problem.at(path, None));
    let bytes = super::super::read_bytes(path, "a DICOM file").map_err(Refused::File)?;
    let container = Container::open(&bytes).map_err(refused)?;
    let set = container.whole().map_err(refused)?;
    let code = |tag| set.code(tag).unwrap_or_default().to_owned();
    if code(BURNED_IN) == "YES" {
        let problem = Problem::new("pixels without text in them", "a file that says there is some")
            .hint("black the text out in the stored pixels with another program first");
        return Err(Refused::BurnedIn(problem.at(path, None)));
    }
    let class = set.code(tag::SOP_CLASS).ok_or_else(|| refused(missing(tag::SOP_CLASS)))?.to_owned();
    if let Some(kind) = text_object(&class) {
        return Err(refused(
            Problem::new("an image or what is measured in one", kind).hint("text is not cleaned here"),
        ));
    }
    let (series, instance) = (code(tag::SERIES_UID), code(INSTANCE));
    if series.is_empty() || instance.is_empty() {
        return Err(refused(missing(if series.is_empty() { tag::SERIES_UID } else { INSTANCE })));
    }
    let subject = request.salt.subject(&set);
    let cleaner = Cleaner { request, subject: &subject, days: request.salt.days(&subject) };
    let (series, instance) = (cleaner.uid(&series), cleaner.uid(&instance));
    let place = [subject.clone(), series.as_str().to_owned(), instance.as_str().to_owned()];
    let mut changes = Changes::new();
    let bytes = rewritten(&container, &set, &cleaner, (&class, &place[2]), &mut changes).map_err(refused)?;
    write_atomic(copy, &bytes).map_err(Refused::Store)?;
    let body_part = code(BODY_PART).to_uppercase();
    let head = ["HEAD", "BRAIN", "SKULL", "FACE", "NECK", "JAW", "ORBIT"].iter().any(|part| body_part.contains(part));
    Ok(Copied {
        place,
        changes,
        perhaps_burned_in: code(BURNED_IN) != "NO",
        perhaps_recognizable: head || body_part.is_empty() || code(RECOGNIZABLE) == "YES",
    })
}

fn missing(tag: Tag) -> Problem {
    Problem::new(tag.to_string(), "nothing there")
}

/// Kinds of object whose content is text.
fn text_object(class: &str) -> Option<&'static str> {
    let of = |prefix: &str| class.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if of("1.2.840.10008.5.1.4.1.1.88") {
        Some("a structured report")
    } else if of("1.2.840.10008.5.1.4.1.1.104") {
        Some("an encapsulated document")
    } else if of("1.2.840.10008.5.1.4.1.1.11") {
        Some("a presentation state")
    } else {
        None
    }
}

/// The file anew, in the encoding that it has.
fn rewritten(
    container: &Container<'_>,
    set: &DataSet<'_>,
    cleaner: &Cleaner<'_>,
    (class, instance): (&str, &str),
    changes: &mut Changes,
) -> Result<Vec<u8>, Problem> {
    let found = set.elements.values().next().map_or(Encoding::EXPLICIT, |element| element.encoding);
    // Compressed pixels stand in explicit data sets; what was deflated is written as it is inside.
    let (encoding, syntax) = match (container.syntax.syntax, container.syntax_uid()) {
        (Syntax::Native | Syntax::Deflated, _) | (_, None) => (found, native_uid(found)),
        (_, Some(uid)) => (Encoding::EXPLICIT, uid),
    };
    let mut body = Encoder::new(encoding);
    cleaner.write(set, cleaner.statements(), &mut body, changes)?;
    encode::file(class, instance, syntax, &body.bytes)
}

const fn native_uid(encoding: Encoding) -> &'static str {
    match (encoding.explicit, encoding.big_endian) {
        (_, true) => "1.2.840.10008.1.2.2",
        (true, false) => "1.2.840.10008.1.2.1",
        (false, false) => "1.2.840.10008.1.2",
    }
}

impl Salt {
    /// How many days earlier the dates of a patient become: one month to ten years.
    fn days(&self, subject: &str) -> i64 {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(b"days");
        hash.update(subject.as_bytes());
        let digest = hash.finalize();
        30 + i64::from(u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]) % 3_620)
    }

    /// What stands for a patient: the same for all files of the same Patient ID, or of the same study without one.
    fn subject(&self, set: &DataSet<'_>) -> String {
        let code = |tag| set.code(tag).filter(|text| !text.is_empty());
        let who = match (code(tag::PATIENT_ID), code(Tag(0x0020, 0x000D))) {
            (Some(patient), _) => ["patient", patient],
            (None, Some(study)) => ["study", study],
            (None, None) => ["nobody", ""],
        };
        let mut hash = Sha256::new();
        hash.update(self.0);
        who.iter().for_each(|part| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        });
        let digest = hash.finalize();
        let hex: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("subject-{hex}")
    }
}
