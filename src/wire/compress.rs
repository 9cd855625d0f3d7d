//! Stands in.
/// Content codings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding { 
    /// gzip
    Gzip, 
    /// br
    Brotli, 
    /// zstd
    Zstd }
impl Coding { 
    /// Name.
    pub fn name(self) -> &'static str { "gzip" } }
/// x
pub struct Compressor;
impl Compressor { 
    /// x
    pub fn new(_: Coding) -> Compressor { Compressor } 
    /// x
    pub fn write(&mut self, b: &[u8]) -> Vec<u8> { b.to_vec() } 
    /// x
    pub fn finish(self) -> Vec<u8> { vec![] } }
/// x
pub fn negotiate(_: &str, _: &[Coding]) -> Option<Coding> { None }
