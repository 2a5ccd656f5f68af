//! Pictures inside of JSON: answers are read as they come, and a long text that is Base64 is decoded on the way.
//!
//! A picture of 64 MiB is a text of 85 MiB. Kept as a text, parsed, and decoded, it would be in memory three times over.
//! So the text never is: while its letters arrive they become bytes, and in the JSON stands a mark, by which the picture is
//! found when the JSON is read. Nothing is known here of where a service puts its pictures. Readers of JSON that hand texts
//! out in pieces read from a blocking source, which would cost each answer a thread.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

/// Texts from this length on are taken for pictures, where they are Base64.
const LONG: usize = 16 * 1024;
/// Letters that are decoded at once; a multiple of four.
const BLOCK: usize = 4 * 1024;
/// The least by which the room of a picture grows.
const GROWTH_MIN: usize = 64 * 1024;
/// Begins the mark of a picture; no service has it in a text that is a picture.
const MARK: char = '\0';

/// Base64 of either alphabet, once it is written in the usual one; padding is taken off before.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// How much of an answer is read, in bytes: a kind of generator knows what its service sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Its text, without pictures; where there may be some, at least 64 KiB.
    pub text: u64,
    /// Its pictures together: in Base64 inside of it, or the picture that it is.
    pub pictures: u64,
}

/// More came than is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded;

/// Reads JSON as it comes.
pub struct InlineReader {
    bounds: Bounds,
    text: Vec<u8>,
    pictures: Vec<Bytes>,
    state: ReaderState,
}

/// Where in the JSON the next byte stands.
enum ReaderState {
    Between,
    /// In a text, which begins at that byte of what is kept.
    Text {
        start: usize,
        escaped: Escaped,
    },
    /// In a text that is a picture so far.
    Picture {
        decoder: Box<Base64Decoder>,
        head: Vec<u8>,
    },
    /// In the rest of a long text that is no picture after all.
    Skipped {
        escaped: Escaped,
    },
}

/// Whether a byte stands behind a backslash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Escaped {
    #[default]
    No,
    Yes,
}

impl InlineReader {
    /// Begins to read.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, text: Vec::new(), pictures: Vec::new(), state: ReaderState::Between }
    }

    /// Reads what came next.
    ///
    /// # Errors
    /// More came than is read.
    pub fn feed(&mut self, mut chunk: &[u8]) -> Result<(), Exceeded> {
        while !chunk.is_empty() {
            let read = match &mut self.state {
                ReaderState::Between => self.between(chunk)?,
                ReaderState::Text { .. } => self.in_text(chunk)?,
                ReaderState::Picture { .. } => self.in_picture(chunk)?,
                ReaderState::Skipped { escaped } => {
                    let end = end_of_text(chunk, escaped);
                    end.map_or(chunk.len(), |end| {
                        self.state = ReaderState::Between;
                        self.text.push(b'"');
                        end + 1
                    })
                }
            };
            chunk = &chunk[read..];
        }
        Ok(())
    }

    /// Returns the JSON, with marks in the places of its pictures, and these; what came of them where it was cut off.
    pub fn finish(self) -> (Vec<u8>, Vec<Bytes>) {
        (self.text, self.pictures)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Exceeded> {
        if (self.text.len() + bytes.len()) as u64 > self.bounds.text {
            return Err(Exceeded);
        }
        self.text.extend_from_slice(bytes);
        Ok(())
    }

    fn between(&mut self, chunk: &[u8]) -> Result<usize, Exceeded> {
        let quote = chunk.iter().position(|byte| *byte == b'"');
        let read = quote.map_or(chunk.len(), |quote| quote + 1);
        self.keep(&chunk[..read])?;
        if quote.is_some() {
            self.state = ReaderState::Text { start: self.text.len(), escaped: Escaped::No };
        }
        Ok(read)
    }

    fn in_text(&mut self, chunk: &[u8]) -> Result<usize, Exceeded> {
        let ReaderState::Text { start, escaped } = &mut self.state else { return Ok(0) };
        let start = *start;
        // No more at once than until it is long: then it is looked at, once.
        let length = self.text.len() - start;
        let until = if length < LONG { chunk.len().min(LONG - length) } else { chunk.len() };
        let end = end_of_text(&chunk[..until], escaped);
        let read = end.map_or(until, |end| end + 1);
        self.keep(&chunk[..read])?;
        if end.is_some() {
            self.state = ReaderState::Between;
        } else if self.text.len() - start == LONG {
            self.look_at(start);
        }
        Ok(read)
    }

    /// Begins to decode a text that is long by now, where it is Base64 so far.
    fn look_at(&mut self, start: usize) {
        let mut decoder = Box::<Base64Decoder>::default();
        let head = &self.text[start..];
        let data = data_of(head);
        if self.bounds.pictures > 0 && decoder.feed(data).is_ok() {
            let head = self.text.split_off(start);
            self.state = ReaderState::Picture { decoder, head };
        }
    }

    fn in_picture(&mut self, chunk: &[u8]) -> Result<usize, Exceeded> {
        let before: u64 = self.pictures.iter().map(|picture| picture.len() as u64).sum();
        let ReaderState::Picture { decoder, head } = &mut self.state else { return Ok(0) };
        let escaped = decoder.escaped;
        // Mostly there is none, which is found out fast.
        let quote = if chunk.contains(&b'"') { chunk.iter().position(|byte| *byte == b'"') } else { None };
        let mut decoded = decoder.feed(&chunk[..quote.unwrap_or(chunk.len())]);
        if quote.is_some() {
            decoded = decoded.and_then(|()| decoder.end());
        }
        if before + decoder.bytes.len() as u64 > self.bounds.pictures {
            return Err(Exceeded);
        }
        let Err(NotBase64) = decoded else {
            let Some(quote) = quote else { return Ok(chunk.len()) };
            let mark = format!("\\u0000{}\"", self.pictures.len());
            self.pictures.push(std::mem::take(&mut decoder.bytes).into());
            self.state = ReaderState::Between;
            self.keep(mark.as_bytes())?;
            return Ok(quote + 1);
        };
        // The rest of a text of this length says nothing that anybody would read: only its end counts.
        let mut head = std::mem::take(head);
        if head.ends_with(b"\\") {
            head.pop();
        }
        self.state = ReaderState::Skipped { escaped };
        self.keep(&head)?;
        Ok(0)
    }
}

/// Tells whether a byte is a letter of Base64 in its usual alphabet.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// Returns where a text ends in a chunk.
fn end_of_text(chunk: &[u8], escaped: &mut Escaped) -> Option<usize> {
    for (at, byte) in chunk.iter().enumerate() {
        *escaped = match (*escaped, byte) {
            (Escaped::Yes, _) => Escaped::No,
            (Escaped::No, b'\\') => Escaped::Yes,
            (Escaped::No, b'"') => return Some(at),
            (Escaped::No, _) => Escaped::No,
        };
    }
    None
}

/// Returns the Base64 of a data URL, or the whole.
fn data_of(text: &[u8]) -> &[u8] {
    let comma = text.iter().position(|byte| *byte == b',').filter(|_| text.starts_with(b"data:"));
    comma.map_or(text, |comma| &text[comma + 1..])
}

/// A text is not Base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NotBase64;

/// Decodes Base64 as it comes, of either alphabet, with or without padding and broken lines.
#[derive(Default)]
struct Base64Decoder {
    bytes: Vec<u8>,
    letters: Vec<u8>,
    padding: usize,
    escaped: Escaped,
    lettering: Lettering,
}

/// Whether all letters so far were of the usual alphabet, without escapes and line breaks: then they need no copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Lettering {
    #[default]
    Usual,
    Mixed,
}

impl Base64Decoder {
    /// Reads letters of a JSON text.
    fn feed(&mut self, mut text: &[u8]) -> Result<(), NotBase64> {
        while let Some(first) = text.first() {
            if self.lettering == Lettering::Usual && self.letters.is_empty() && text.len() >= 4 {
                text = self.feed_usual(text)?;
                continue;
            }
            let plain = text.iter().position(|byte| !is_plain(*byte)).unwrap_or(text.len());
            let read = match (self.escaped, *first) {
                (Escaped::No, _) if plain > 0 => {
                    // Where all is usual, only what is missing to four letters: the rest is decoded where it stands.
                    let room = match self.lettering {
                        Lettering::Usual => 4 - self.letters.len() % 4,
                        Lettering::Mixed => BLOCK - self.letters.len(),
                    };
                    self.letters(&text[..plain.min(room)])?;
                    plain.min(room)
                }
                (escaped, byte) => {
                    self.escaped = Escaped::No;
                    match (escaped, byte) {
                        (Escaped::No, b'\\') => self.escaped = Escaped::Yes,
                        (Escaped::No, b'-') | (Escaped::Yes, b'+') => self.letters(b"+")?,
                        (Escaped::No, b'_') | (Escaped::Yes, b'/') => self.letters(b"/")?,
                        (Escaped::No, b'=') if self.padding < 2 => self.padding += 1,
                        (Escaped::No, b'\n' | b'\r') | (Escaped::Yes, b'n' | b'r') => {}
                        (Escaped::No | Escaped::Yes, _) => return Err(NotBase64),
                    }
                    1
                }
            };
            text = &text[read..];
        }
        Ok(())
    }

    /// Decodes letters where they stand, as far as they are all of the usual alphabet; returns what is left.
    fn feed_usual<'t>(&mut self, text: &'t [u8]) -> Result<&'t [u8], NotBase64> {
        if self.padding > 0 {
            return Err(NotBase64);
        }
        let (whole, rest) = text.split_at(text.len() / 4 * 4);
        let before = self.bytes.len();
        self.grow(whole.len());
        match ENGINE.decode_vec(whole, &mut self.bytes) {
            Ok(()) => Ok(rest),
            Err(_) => {
                self.bytes.truncate(before);
                self.lettering = Lettering::Mixed;
                Ok(text)
            }
        }
    }

    fn letters(&mut self, letters: &[u8]) -> Result<(), NotBase64> {
        if self.padding > 0 {
            return Err(NotBase64);
        }
        self.letters.extend_from_slice(letters);
        let full = match self.lettering {
            Lettering::Usual => self.letters.len().is_multiple_of(4),
            Lettering::Mixed => self.letters.len() == BLOCK,
        };
        if full { self.decode() } else { Ok(()) }
    }

    /// Decodes what is left.
    fn end(&mut self) -> Result<(), NotBase64> {
        if self.escaped == Escaped::Yes { Err(NotBase64) } else { self.decode() }
    }

    fn decode(&mut self) -> Result<(), NotBase64> {
        self.grow(self.letters.len());
        ENGINE.decode_vec(&self.letters, &mut self.bytes).map_err(|_| NotBase64)?;
        self.letters.clear();
        Ok(())
    }
}

impl Base64Decoder {
    /// Makes room for what so many letters decode to.
    fn grow(&mut self, letters: usize) {
        let room = letters / 4 * 3 + 3;
        if self.bytes.capacity() - self.bytes.len() < room {
            // By a quarter, for all of it is in memory, and moved by the system where it is large.
            self.bytes.reserve_exact((self.bytes.len() / 4).max(GROWTH_MIN).max(room));
        }
    }
}

/// Returns the picture that a text of the JSON is, or stands for; `None` where it is none.
pub fn picture(text: &str, pictures: &[Bytes]) -> Option<Bytes> {
    if let Some(number) = text.strip_prefix(MARK) {
        return pictures.get(number.parse::<usize>().ok()?).cloned();
    }
    let mut decoder = Base64Decoder::default();
    decoder.feed(data_of(text.as_bytes())).ok()?;
    decoder.end().ok()?;
    (!decoder.bytes.is_empty()).then(|| decoder.bytes.into())
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const BOUNDS: Bounds = Bounds { text: 100_000, pictures: 200_000 };

    fn read(body: &[u8], chunk: usize) -> Result<(Value, Vec<Bytes>), Exceeded> {
        let mut reader = InlineReader::new(BOUNDS);
        for chunk in body.chunks(chunk) {
            reader.feed(chunk)?;
        }
        let (text, pictures) = reader.finish();
        Ok((serde_json::from_slice(&text).unwrap_or_default(), pictures))
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 7_u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn pictures_of_any_length_are_found_wherever_they_stand() {
        let (large, small) = (noise(50_001), noise(100));
        let plain = STANDARD.encode(&large);
        let lines = plain.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap());
        for text in [
            plain.clone(),
            format!("data:image/png;base64,{plain}"),
            URL_SAFE_NO_PAD.encode(&large),
            lines.collect::<Vec<_>>().join("\r\n"),
        ] {
            let body = json!({"data": [{"b64_json": text}], "id": "a \"quoted\" \\", "small": STANDARD.encode(&small)});
            for body in [body.to_string(), body.to_string().replace('/', "\\/")] {
                for chunk in [1, 7, 4_096, 1_000_000] {
                    let (value, pictures) = read(body.as_bytes(), chunk).unwrap();
                    let at = |value: &Value| picture(value.as_str().unwrap(), &pictures).unwrap();
                    assert!(at(&value["data"][0]["b64_json"]) == large, "{chunk}");
                    assert!(at(&value["small"]) == small);
                    assert_eq!(value["id"], "a \"quoted\" \\");
                }
            }
        }
    }

    #[test]
    fn a_long_text_that_is_no_picture_stays_a_text() {
        let prose = "said the \"fox\" \\ ".repeat(2_000);
        let late = format!("{}, and then words \\\" of {}", "a".repeat(20_000), "a".repeat(30_000));
        for chunk in [1, 5, 1_000_000] {
            let body = json!({"prose": prose, "late": late, "after": "words"}).to_string();
            let (value, pictures) = read(body.as_bytes(), chunk).unwrap();
            assert_eq!((&value["prose"], &value["after"]), (&json!(prose), &json!("words")));
            // What is known to be none late is cut: nobody reads it.
            assert_eq!(value["late"], json!("a".repeat(LONG)));
            assert!(pictures.is_empty());
        }
        assert_eq!(picture("no, this is none", &[]), None);
        assert_eq!(picture("\u{0}7", &[]), None);
        assert_eq!(picture("", &[]), None);
    }

    #[test]
    fn nobody_sends_more_than_is_read() {
        let picture = json!({"image": STANDARD.encode(noise(200_001))}).to_string();
        assert_eq!(read(picture.as_bytes(), 999).unwrap_err(), Exceeded);
        let two = json!([STANDARD.encode(noise(150_000)), STANDARD.encode(noise(150_000))]).to_string();
        assert_eq!(read(two.as_bytes(), 999).unwrap_err(), Exceeded);
        let words = json!({"message": "no luck ".repeat(20_000)}).to_string();
        assert_eq!(read(words.as_bytes(), 999).unwrap_err(), Exceeded);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_the_same_in_any_pieces(
            texts in proptest::collection::vec("([a-zA-Z0-9+/]{1,64}|\\PC{0,8})", 0..6),
            repeats in 1_usize..600,
            chunk in 1_usize..5_000,
        ) {
            let texts: Vec<String> = texts.iter().map(|text| text.repeat(repeats)).collect();
            let body = json!(texts).to_string();
            let bounds = Bounds { text: 10_000_000, pictures: 10_000_000 };
            let parse = |chunk: usize| {
                let mut reader = InlineReader::new(bounds);
                body.as_bytes().chunks(chunk).for_each(|chunk| reader.feed(chunk).unwrap());
                reader.finish()
            };
            let (whole, pieces) = (parse(body.len().max(1)), parse(chunk));
            prop_assert_eq!(&whole, &pieces);
            let values: Vec<String> = serde_json::from_slice(&whole.0).unwrap();
            for (value, text) in values.iter().zip(&texts) {
                match value.strip_prefix(MARK) {
                    Some(_) => prop_assert!(picture(value, &whole.1).is_some()),
                    None => prop_assert!(text.starts_with(value.as_str())),
                }
            }
        }
    }
}
