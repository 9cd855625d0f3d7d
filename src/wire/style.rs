//! How events are written: what the format leaves free.

/// What ends a line (HTML standard, §9.2.5: any of the three).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Eol {
    /// `\n`
    #[default]
    Lf,
    /// `\r\n`
    Crlf,
    /// `\r`
    Cr,
}

impl Eol {
    /// The bytes that end a line.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Eol::Lf => b"\n",
            Eol::Crlf => b"\r\n",
            Eol::Cr => b"\r",
        }
    }
}

/// A part of an event that becomes lines of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// Comment lines.
    Comment,
    /// The `event` field.
    Event,
    /// The `data` fields.
    Data,
    /// The `id` field.
    Id,
    /// The `retry` field.
    Retry,
}

/// How events of a stream are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// What ends every line, the blank one too.
    pub eol: Eol,
    /// Whether a space stands between colon and value.
    ///
    /// Without it a value that itself begins with a space still gets one: a client takes the first
    /// space away, and the value would not arrive as it is.
    pub space: bool,
    /// The order of the fields; one that is not named is not written.
    pub order: [Field; 5],
}

impl Style {
    /// LF, a space, and comment, event, data, id, retry.
    pub const STANDARD: Style = Style {
        eol: Eol::Lf,
        space: true,
        order: [Field::Comment, Field::Event, Field::Data, Field::Id, Field::Retry],
    };
}

impl Default for Style {
    fn default() -> Style {
        Style::STANDARD
    }
}
