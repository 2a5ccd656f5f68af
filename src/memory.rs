//! Memory: how much of it the pictures of a run may take together.
//!
//! A picture in a file is small and its pixels are not, and several are worked on at once. What decoding one will take is
//! read from its header first, and waited for until others give it back. Whoever holds a decoded picture must not wait
//! for another one: that is what keeps the wait from never ending.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use crate::imaging::{Decoded, Facts, Header, ImagingError};

/// What the pictures of a run may take together unless the environment says otherwise, in bytes.
pub const MEMORY_DEFAULT: u64 = 1024 * MIB;
/// The least that may be set: room for a picture of a million pixels, and then some.
pub const MEMORY_MIN: u64 = 64 * MIB;
/// The most that may be set.
pub const MEMORY_MAX: u64 = 1024 * 1024 * MIB;

/// Bytes of a MiB.
const MIB: u64 = 1024 * 1024;
/// Bytes that are counted as one.
const UNIT: u64 = 64 * 1024;
/// Which part of the whole is for pictures that wait, decoded, for the rest of their batch: one of so many.
const WAITING_PART: u64 = 4;

/// The memory that the pictures of a run may take together.
#[derive(Debug, Clone)]
pub struct Memory {
    room: Arc<Semaphore>,
    whole: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(MEMORY_DEFAULT)
    }
}

impl Memory {
    /// Bounds the memory, in bytes.
    pub fn new(whole: u64) -> Self {
        let whole = whole.clamp(MEMORY_MIN, MEMORY_MAX);
        let units = usize::try_from(one_max(whole) / UNIT).unwrap_or(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))), whole }
    }

    /// Returns how many bytes of pixels may wait, decoded, for the rest of their batch.
    pub fn waiting_max(&self) -> u64 {
        self.whole / WAITING_PART
    }

    /// Decodes a picture once there is room for it.
    ///
    /// # Errors
    /// The bytes are no picture that can be decoded, or it would take more memory than all pictures together may.
    pub async fn decode(&self, bytes: &Bytes) -> Result<Held, ImagingError> {
        self.decode_if(bytes, |_| Ok(())).await
    }

    /// Decodes a picture that has the size asked for; one of another size is refused by its header.
    ///
    /// # Errors
    /// As [`Self::decode`]; or the picture has another size, or is one flat colour.
    pub async fn verify(&self, bytes: &Bytes, (width, height): (u32, u32)) -> Result<Held, ImagingError> {
        let held = self.decode_if(bytes, |header| header.fits((width, height))).await?;
        let verified = spawn_blocking(move || held.decoded.verify(width, height).map(|_| held));
        verified.await.map_err(|_| ImagingError::Crashed)?
    }

    async fn decode_if(
        &self,
        bytes: &Bytes,
        wanted: impl Fn(&Header) -> Result<(), ImagingError>,
    ) -> Result<Held, ImagingError> {
        let file = bytes.clone();
        let header = spawn_blocking(move || Header::read(&file)).await.map_err(|_| ImagingError::Crashed)??;
        wanted(&header)?;
        let room = self.room(&header).await?;
        let file = bytes.clone();
        let decoded =
            spawn_blocking(move || Decoded::of(&header, &file)).await.map_err(|_| ImagingError::Crashed)??;
        Ok(Held { decoded, _room: Some(room) })
    }

    async fn room(&self, header: &Header) -> Result<OwnedSemaphorePermit, ImagingError> {
        let (needed, limit) = (header.memory(), one_max(self.whole));
        let Facts { format: _, width, height } = header.facts();
        if needed > limit {
            return Err(ImagingError::TooMuchMemory {
                width,
                height,
                needed: needed.div_ceil(MIB),
                limit: limit / MIB,
            });
        }
        let units = u32::try_from(needed.div_ceil(UNIT)).unwrap_or(u32::MAX);
        Arc::clone(&self.room).acquire_many_owned(units).await.map_err(|_| ImagingError::Crashed)
    }
}

/// Returns what one picture may take.
fn one_max(whole: u64) -> u64 {
    (whole - whole / WAITING_PART) / UNIT * UNIT
}

/// A decoded picture, with the room that it takes until it is dropped.
#[derive(Debug)]
pub struct Held {
    decoded: Decoded,
    _room: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Returns how many bytes its pixels take.
    pub fn bytes(&self) -> u64 {
        let Facts { format: _, width, height } = self.decoded.facts();
        u64::from(width) * u64::from(height) * 4
    }

    /// Gives the room back and keeps the pixels, which must be few enough by [`Memory::waiting_max`].
    pub fn waiting(self) -> Self {
        Self { decoded: self.decoded, _room: None }
    }
}

impl Deref for Held {
    type Target = Decoded;

    fn deref(&self) -> &Decoded {
        &self.decoded
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::asset::Recipe;

    fn picture(width: u32, height: u32) -> Bytes {
        crate::imaging::paint(&Recipe::new("placeholder", "a prompt", width, height)).unwrap().into()
    }

    #[tokio::test(start_paused = true)]
    async fn pictures_wait_for_one_another_and_all_get_their_turn() {
        let memory = Memory::new(MEMORY_MIN);
        let large = picture(1600, 1600);
        let first = memory.decode(&large).await.unwrap();
        let second = memory.decode(&large);
        tokio::pin!(second);
        let early = tokio::time::timeout(Duration::from_secs(60), &mut second).await;
        assert!(early.is_err(), "the second picture came while the first was still there");
        drop(first);
        assert_eq!(second.await.unwrap().facts().width, 1600);
    }

    #[tokio::test]
    async fn a_picture_beyond_the_bound_is_decided_about_and_keeps_nobody_waiting() {
        let memory = Memory::new(MEMORY_MIN);
        let error = memory.decode(&picture(4096, 4096)).await.unwrap_err().to_string();
        insta::assert_snapshot!(error, @"to decode 4096 x 4096 pixels takes 177 MiB, and `limits.memory` leaves 48 MiB for one picture");
        assert!(memory.decode(&picture(64, 64)).await.is_ok());
    }

    #[tokio::test]
    async fn another_size_is_refused_by_its_header() {
        let memory = Memory::new(MEMORY_MIN);
        let error = memory.verify(&picture(4096, 4096), (128, 128)).await.unwrap_err().to_string();
        assert_eq!(error, "the picture has 4096 x 4096 pixels, 128 x 128 were asked for");
    }

    #[tokio::test]
    async fn who_waits_for_a_batch_takes_no_room_of_others() {
        let memory = Memory::new(MEMORY_MIN);
        let large = picture(1600, 1600);
        let first = memory.decode(&large).await.unwrap().waiting();
        assert!(memory.decode(&large).await.is_ok());
        assert_eq!(first.facts().height, 1600);
    }
}
