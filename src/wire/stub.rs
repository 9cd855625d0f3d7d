//! Stands in for the types of style, split, compress and framing until they are merged.

/// Where bytes are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SplitAt { 
    /// Every so many bytes.
    Every(usize),
    /// Behind these numbers of bytes.
    At(Vec<usize>),
    /// Random lengths.
    Random { 
        /// The shortest.
        low: usize, 
        /// The longest.
        high: usize },
    /// Inside something.
    Inside(Inside) }
/// Inside what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inside { 
    /// Multi-byte characters.
    Utf8, 
    /// CRLF pairs.
    Crlf, 
    /// Byte order marks.
    Bom }
/// Line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eol { 
    /// LF
    Lf, 
    /// CR LF
    Crlf, 
    /// CR
    Cr }
/// Fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field { 
    /// Comment
    Comment, 
    /// event
    Event, 
    /// data
    Data, 
    /// id
    Id, 
    /// retry
    Retry }
/// How events are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style { 
    /// Line end.
    pub eol: Eol, 
    /// Space behind the colon.
    pub space: bool, 
    /// Order of fields.
    pub order: [Field; 5] }
impl Style {
    /// The usual one.
    pub const STANDARD: Style = Style { eol: Eol::Lf, space: true, order: [Field::Comment, Field::Event, Field::Data, Field::Id, Field::Retry] };
}
impl Default for Style { fn default() -> Style { Style::STANDARD } }
/// Content codings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding { 
    /// gzip
    Gzip, 
    /// br
    Brotli, 
    /// zstd
    Zstd }
