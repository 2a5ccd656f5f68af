//! What only a store behind a server can do or suffer.
