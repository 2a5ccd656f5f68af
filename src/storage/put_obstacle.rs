//! What keeps a store from taking a file.

/// What is in the way of a file that a store does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutObstacle {
    /// Its size.
    Size,
    /// Its type.
    Type,
    /// Its name.
    Name,
    /// The readers that it is for: they could not fetch it.
    Readers,
}
