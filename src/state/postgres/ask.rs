//! How most questions are asked and most changes made: in one transaction, done again where the connection breaks.
//!
//! The names that these use are those of whoever asks.

/// Asks for what only our own tables hold: nothing, where they are absent.
macro_rules! recall {
    ($self:ident, $kind:ident, $action:literal, |$transaction:ident, $schema:ident| $work:expr) => {
        transaction!($self.database, $kind, $action, |$transaction| async {
            match schema(&$self.database, &$transaction).await? {
                Schema::Absent => Ok(Default::default()),
                $schema => $work.await,
            }
        }
        .await)
    };
}

/// Changes something; a schema newer than ours is not to be written to.
macro_rules! change {
    ($self:ident, $action:expr, |$transaction:ident, $schema:ident| $work:expr) => {
        transaction!($self.database, Write, $action, |$transaction| async {
            let $schema = schema(&$self.database, &$transaction).await?;
            $work.await
        }
        .await)
    };
}

pub(super) use change;
pub(super) use recall;
