//! The stores of an environment, opened as one.

use std::sync::Arc;

use super::{Divided, Health, Moving, Storage, StorageError, StoreOptions, open_watched};

/// Where an environment keeps its files.
#[derive(Debug, Clone, Default)]
pub struct Stores {
    /// What is published, and originals, too, where they have no store of their own.
    pub main: StoreOptions,
    /// Originals.
    pub originals: Option<StoreOptions>,
    /// The store that was used for all of it before.
    pub previous: Option<StoreOptions>,
}

/// Stores, opened.
pub struct Opened {
    /// All of them as one.
    pub storage: Arc<dyn Storage>,
    /// The same, where files may have to be copied from the store before.
    pub moving: Option<Arc<Moving>>,
    /// How all of them do.
    pub health: Arc<Health>,
}

impl Stores {
    /// Makes stores of one URL.
    pub fn of(url: impl Into<String>) -> Self {
        Self { main: StoreOptions::of(url), ..Self::default() }
    }

    /// Tells whether all of them are on this machine; what cannot be opened is told when it is.
    pub fn are_near(&self) -> bool {
        let near = |settings: &StoreOptions| matches!(settings.url.split(':').next(), Some("file" | "memory"));
        [Some(&self.main), self.originals.as_ref(), self.previous.as_ref()].into_iter().flatten().all(near)
    }

    /// Opens them; looks at nothing and creates nothing.
    ///
    /// # Errors
    /// As [`open`](super::open).
    pub fn open(&self) -> Result<Opened, StorageError> {
        let Self { main, originals, previous } = self;
        let health = Health::of_a_run();
        let open = |settings| open_watched(settings, &health);
        let mut storage = open(main)?;
        if let Some(originals) = originals {
            storage = Box::new(Divided::new(storage, open(originals)?));
        }
        Ok(match previous {
            None => Opened { storage: storage.into(), moving: None, health },
            Some(previous) => {
                let moving = Arc::new(Moving::new(storage, open(previous)?));
                Opened { storage: Arc::clone(&moving) as Arc<dyn Storage>, moving: Some(moving), health }
            }
        })
    }
}
