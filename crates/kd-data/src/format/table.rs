//! Tables as text: comma-separated values with a header line, read strictly.
//!
//! The columns of a table are somebody's word about numbers, so a line that is too short, a column that is named twice
//! and a cell that is no number are errors with their line, never a gap that is filled.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::Problem;
use super::{FormatError, read_bytes};

/// A table of texts whose lines are all as long as its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    path: PathBuf,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Reads a table.
///
/// # Policy
/// The separator is a comma, text may stand in double quotes, blanks around a cell are taken off, and a byte-order mark
/// at the start is skipped (spreadsheets write one).
///
/// # Errors
/// [`FormatError`] for a file that cannot be read, is empty, is no UTF-8, has a line of another length than its header,
/// a column without a name or two of one name, or no line below the header.
///
/// # Example
/// ```
/// use kd_data::format::read_table;
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("scores.csv");
/// std::fs::write(&path, "id,truth,score_0\na,1,0.75\nb,0,0.5\n")?;
/// let table = read_table(&path)?;
/// assert_eq!(table.texts("id")?, ["a", "b"]);
/// assert_eq!(table.numbers("score_0")?, [0.75, 0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_table(path: &Path) -> Result<Table, FormatError> {
    let refused = |expected: &str, found: String| Problem::new(expected, found).at(path, None);
    let bytes = read_bytes(path, "a table (CSV)")?;
    let text = String::from_utf8(bytes).map_err(|_| refused("text (UTF-8)", "other bytes".into()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_owned).collect(),
        Err(_) => return Err(refused("a header line", "another first line".into())),
    };
    let mut seen = BTreeSet::new();
    if let Some(name) = header.iter().find(|name| name.is_empty() || !seen.insert(name.as_str())) {
        let found = if name.is_empty() { "one without a name".into() } else { format!("`{name}` twice") };
        return Err(refused("columns of different names", found));
    }
    let mut rows = Vec::new();
    for (number, row) in reader.records().enumerate() {
        let row = row.map_err(|error| {
            let found = match error.kind() {
                csv::ErrorKind::UnequalLengths { len, .. } => format!("{len} cells"),
                _ => "a line that cannot be read".into(),
            };
            let place = format!("line {}", number + 2);
            Problem::new(format!("{} cells", header.len()), found).at(path, Some(&place))
        })?;
        rows.push(row.iter().map(str::to_owned).collect());
    }
    if rows.is_empty() {
        return Err(refused("at least one line below the header", "none".into()));
    }
    Ok(Table { path: path.to_path_buf(), header, rows })
}

impl Table {
    /// The names of the columns.
    #[must_use]
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Lines below the header.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none; a table that was read has at least one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether there is a column of this name.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.header.iter().any(|name| name == column)
    }

    /// The columns `prefix_0`, `prefix_1`, … as far as they go without a gap.
    #[must_use]
    pub fn numbered(&self, prefix: &str) -> Vec<String> {
        (0..).map(|number| format!("{prefix}_{number}")).take_while(|name| self.has(name)).collect()
    }

    /// The cells of a column.
    ///
    /// # Errors
    /// [`FormatError::Content`] for a column that is not there (the error lists those that are).
    pub fn texts(&self, column: &str) -> Result<Vec<&str>, FormatError> {
        let position = self.header.iter().position(|name| name == column).ok_or_else(|| {
            let found = format!("columns {}", self.header.join(", "));
            Problem::new(format!("a column `{column}`"), found).at(&self.path, None)
        })?;
        Ok(self.rows.iter().map(|row| row[position].as_str()).collect())
    }

    /// The cells of a column as numbers.
    ///
    /// # Errors
    /// As [`texts`](Self::texts), and for a cell that is no finite number, with its line.
    pub fn numbers(&self, column: &str) -> Result<Vec<f64>, FormatError> {
        let cells = self.texts(column)?;
        let numbers = cells.iter().enumerate().map(|(row, cell)| {
            cell.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| {
                let place = format!("line {}, column {column}", row + 2);
                Problem::new("a finite number", format!("`{cell}`")).at(&self.path, Some(&place))
            })
        });
        numbers.collect()
    }
}

/// A table as text, cells quoted where they must be; equal cells give equal bytes.
///
/// ```
/// let rows = [vec!["a".to_string(), "normal, benign".to_string()]];
/// assert_eq!(kd_data::format::table_csv(&["id", "class"], &rows), "id,class\na,\"normal, benign\"\n");
/// ```
#[must_use]
pub fn table_csv<H: AsRef<str>>(header: &[H], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<&str>| cells.into_iter().map(quoted).collect::<Vec<_>>().join(",") + "\n";
    let mut text = line(header.iter().map(AsRef::as_ref).collect());
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

fn quoted(cell: &str) -> String {
    let plain = !cell.contains([',', '"', '\n', '\r']) && cell == cell.trim();
    if plain { cell.to_owned() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Table, FormatError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.csv");
        std::fs::write(&path, text).unwrap();
        read_table(&path)
    }

    fn refusal(text: &str) -> String {
        table(text).unwrap_err().to_string()
    }

    #[test]
    fn a_table_is_read_back_as_it_was_written() {
        let rows = vec![vec!["a, b".to_owned(), "say \"x\"".to_owned()], vec!["c".to_owned(), " d".to_owned()]];
        let found = table(&table_csv(&["one", "two"], &rows)).unwrap();
        assert_eq!(found.texts("one").unwrap(), ["a, b", "c"]);
        assert_eq!(found.texts("two").unwrap()[0], "say \"x\"");
    }

    #[test]
    fn numbered_columns_end_at_the_first_gap() {
        let found = table("\u{feff}score_0,score_1,score_3\n1,2,3\n").unwrap();
        assert_eq!(found.numbered("score"), ["score_0", "score_1"]);
        assert!(found.numbered("truth").is_empty());
    }

    #[test]
    fn a_short_line_and_a_cell_that_is_no_number_are_named_by_line() {
        assert!(refusal("a,b\n1,2\n3\n").contains("#line 3`: expected 2 cells, found 1 cells"));
        let text = table("a,b\n1,2\n3,x\n").unwrap().numbers("b").unwrap_err().to_string();
        assert!(text.contains("#line 3, column b`: expected a finite number, found `x`"), "{text}");
        assert!(table("a\nNaN\n").unwrap().numbers("a").is_err());
    }

    #[test]
    fn a_column_named_twice_an_empty_table_and_other_bytes_are_refused() {
        assert!(refusal("a,a\n1,2\n").contains("found `a` twice"));
        assert!(refusal("a,b\n").contains("found none"));
        assert!(refusal("").contains("0 bytes"));
        let text = table("a,b\n1,2\n").unwrap().texts("c").unwrap_err().to_string();
        assert!(text.contains("expected a column `c`, found columns a, b"), "{text}");
    }
}
