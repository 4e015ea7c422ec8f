//! What a report consists of, before it becomes HTML or Markdown.

/// One piece of a report.
pub(crate) enum Block {
    /// A part of the report.
    Heading(String),
    /// A part of a part.
    Subheading(String),
    Text(String),
    List(Vec<String>),
    Table(Table),
    Plot(Plot),
    /// What is to be typed or compared letter by letter.
    Code(String),
}

/// Rows of cells; the first column names, the others count.
pub(crate) struct Table {
    pub(crate) caption: String,
    /// Whether cells are sentences, which read from the left, or numbers.
    pub(crate) words: bool,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// A drawing that stands by itself.
pub(crate) struct Plot {
    /// For a file's name.
    pub(crate) name: String,
    /// What it shows, for who can't see it.
    pub(crate) alt: String,
    pub(crate) svg: String,
}

impl Block {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
