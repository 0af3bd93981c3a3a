//! `kd data deidentify`: copies of DICOM files without what names a person, and a list of what was done.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use kd_data::format::{Deidentification, FileFormat, Retain, Salt, deidentify_dicom, files_below, sniff};

use crate::args::{DeidentifyArgs, RetainName};
use crate::output::{Output, columns};

/// Refused files that are shown in the terminal.
const SHOWN: usize = 10;

/// Copies; false when a file was refused.
pub(super) fn run(args: &DeidentifyArgs, out: &Output) -> Result<bool> {
    let files = if args.input.is_dir() {
        files_below(&args.input)?.into_iter().map(|file| file.path).collect()
    } else {
        vec![args.input.clone()]
    };
    let n_files = files.len();
    let is_dicom = |path: &std::path::PathBuf| matches!(sniff(path), Ok(FileFormat::Dicom));
    let paths: Vec<_> = files.into_iter().filter(is_dicom).collect();
    if paths.is_empty() {
        bail!("`{}` holds no DICOM file, expected one or more", args.input.display());
    }
    let retain: BTreeSet<Retain> = args.retain.iter().map(|&name| retain(name)).collect();
    if retain.contains(&Retain::FullDates) && retain.contains(&Retain::ShiftedDates) {
        bail!("--retain has full-dates and shifted-dates, expected one of them");
    }
    let salt = args.salt.as_ref().map_or_else(Salt::random, |path| Salt::of_file(path))?;
    let request = Deidentification { retain, salt };
    let told = deidentify_dicom(&paths, &args.out, &request)?;
    for refused in told.refused.iter().take(SHOWN) {
        out.warn(refused.to_string().replace("\nhint: ", "; "));
    }
    if told.refused.len() > SHOWN {
        out.warn(format!("… {} more", told.refused.len() - SHOWN));
    }
    if told.files == 0 {
        bail!("none of {} files could be copied, nothing was written", paths.len());
    }
    if out.is_json() {
        out.json(&told.without_names(&request))?;
        return Ok(told.refused.is_empty());
    }
    let row = |change: &kd_data::format::Change| {
        vec![change.attribute.clone(), change.action.to_owned(), change.files.to_string()]
    };
    out.data(columns(&["attribute", "what", "files"], &told.changes.iter().map(row).collect::<Vec<_>>()));
    out.note(format!(
        "\n{} files of {} series and {} patients in {}",
        told.files,
        told.series,
        told.subjects,
        args.out.display()
    ));
    for (count, what) in [
        (n_files - paths.len(), "files are no DICOM and were not copied"),
        (told.refused.len(), "files were refused"),
        (told.perhaps_burned_in, "copies do not say that no text is burned into their pixels: look at them"),
        (told.perhaps_recognizable, "copies may show a head, whose face can be recognised: deface them"),
    ] {
        if count > 0 {
            out.note(format!("{count} {what}"));
        }
    }
    Ok(told.refused.is_empty())
}

fn retain(name: RetainName) -> Retain {
    match name {
        RetainName::Uids => Retain::Uids,
        RetainName::Device => Retain::Device,
        RetainName::Institution => Retain::Institution,
        RetainName::PatientCharacteristics => Retain::PatientCharacteristics,
        RetainName::FullDates => Retain::FullDates,
        RetainName::ShiftedDates => Retain::ShiftedDates,
        RetainName::SafePrivate => Retain::SafePrivate,
    }
}
