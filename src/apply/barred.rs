//! Barred: pictures that are not bought, because the store does not take what they would become.
//!
//! What a store takes is proven before anything is bought, as far as it can be. A limit that nobody tells, of a proxy before
//! the store, shows only when the first picture comes to it; the next one of that size would be paid for as much in vain.

use std::sync::{Mutex, PoisonError};

use crate::asset::{Asset, Encoding, GeneratorName};
use crate::storage::{PutObstacle, StorageError};

/// What of a picture was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untaken {
    /// The original.
    Original,
    /// A published form.
    Rendition,
}

/// What was learned of pictures that the store does not take.
#[derive(Debug, Default)]
pub struct Barred(Mutex<Vec<Lesson>>);

#[derive(Debug)]
struct Lesson {
    generator: GeneratorName,
    /// The forms of the asset; those of any asset where it was the original.
    forms: Option<Vec<Encoding>>,
    /// From how many pixels on.
    pixels: u64,
    said: String,
}

impl Barred {
    /// Learns from a file that was not taken, where others like it would not be either.
    pub fn learn(&self, asset: &Asset, untaken: Untaken, error: &StorageError) {
        let pixels = match error.bar() {
            Some(PutObstacle::Size) => pixels(asset),
            Some(PutObstacle::Type) => 0,
            Some(PutObstacle::Name | PutObstacle::Readers) | None => return,
        };
        let forms = (untaken == Untaken::Rendition).then(|| forms(asset));
        let lesson = Lesson { generator: asset.generator.clone(), forms, pixels, said: error.to_string() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(lesson);
    }

    /// Returns why the picture of an asset would not be taken, as far as was learned.
    pub fn why(&self, asset: &Asset) -> Option<String> {
        let lessons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lesson = lessons.iter().find(|lesson| {
            lesson.generator == asset.generator
                && lesson.pixels <= pixels(asset)
                && lesson.forms.as_ref().is_none_or(|refused| *refused == forms(asset))
        });
        lesson.map(|lesson| lesson.said.clone())
    }
}

fn pixels(asset: &Asset) -> u64 {
    let (width, height) = asset.recipe.picture_size();
    u64::from(width) * u64::from(height)
}

fn forms(asset: &Asset) -> Vec<Encoding> {
    asset.renditions.iter().map(|rendition| rendition.encoding).collect()
}
