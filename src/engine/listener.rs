//! The listener: the one door through which the engine tells what happens. It prints nothing itself.

use crate::apply;
use crate::asset::Place;

use super::EngineError;

/// Is told what happens while the engine works, from whatever task it happens in. What matters afterwards is returned, so
/// whoever is not interested may ignore any of it: `&|_: EngineEvent<'_>| {}` is a listener.
pub trait EngineListener: Sync {
    /// Takes what happened. Work goes on once it returns.
    fn hear(&self, event: EngineEvent<'_>);
}

impl<F: Fn(EngineEvent<'_>) + Sync> EngineListener for F {
    fn hear(&self, event: EngineEvent<'_>) {
        self(event);
    }
}

/// What happens.
#[derive(Debug)]
pub enum EngineEvent<'e> {
    /// There is no `pixform.yaml`, so the environment is the one that is built in.
    BuiltIn,
    /// Something is odd, and no mistake.
    Odd {
        /// What.
        message: &'e str,
        /// What can be done about it.
        help: &'e str,
        /// Where it stands, if it stands in a manifest.
        place: Option<&'e Place>,
    },
    /// A manifest cannot be used; the others go on.
    ManifestBroken(EngineError),
    /// So many files were read, where reading takes its time.
    FilesRead(u64),
    /// Whoever can fetch what is published can fetch the originals as well.
    OriginalsOpen,
    /// So many files were copied from the storage that was used before.
    FilesCopied(u64),
    /// So many changes are about to be carried out.
    Begun(u64),
    /// A change is further on.
    Apply(apply::Event<'e>),
    /// The time is up: nothing new is begun.
    TimeUp,
    /// All that was to be carried out is, or is left to the next run.
    Ended,
}
