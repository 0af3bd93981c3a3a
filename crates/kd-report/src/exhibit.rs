//! Cases shown as pictures side by side: on the page, never in the record.
//!
//! A record holds no pixels and no ids, so these come as an argument of their own.

/// One picture of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panel {
    /// What it shows: "truth", "thin-4 distilled".
    pub label: String,
    /// The picture as PNG, in base64 (see [`ErrorImage::encode`](crate::ErrorImage::encode)).
    pub png_base64: String,
}

/// One case: pictures of the same place under several eyes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhibit {
    /// What it is an example of, under an anonymous number.
    pub title: String,
    /// What to look at, and the numbers.
    pub caption: String,
    /// Rows of pictures side by side; a shorter row ends where the longest one does, so that an arm keeps its column.
    pub rows: Vec<Vec<Panel>>,
}
