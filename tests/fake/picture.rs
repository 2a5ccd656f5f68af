//! The pictures that the fake hands out: a vertical gradient and a few bars, the same for the same prompt and seed.
//!
//! Cheap, because a debug build makes hundreds; never of one colour, because clients rightly refuse that.

use std::io::Cursor;

use axum::body::Bytes;
use image::{ImageFormat, RgbImage};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The three file types that can be asked for.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileType {
    Png,
    Webp,
    Jpeg,
}

/// What is in a picture.
#[derive(Clone, Copy)]
pub enum Motif {
    /// A gradient with bars.
    Bars,
    /// One colour.
    Flat,
}

/// What a picture is made of.
pub struct Picture<'a> {
    pub prompt: &'a str,
    pub seed: i64,
    /// Which one of its task.
    pub index: u32,
    pub width: u32,
    pub height: u32,
    pub file_type: FileType,
}

impl FileType {
    /// Returns the ending of its files, which is also its name in requests.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Jpeg => "jpeg",
        }
    }

    /// Returns its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Jpeg => "image/jpeg",
        }
    }
}

/// Returns the file of a picture.
pub fn draw(picture: &Picture<'_>, motif: Motif) -> Bytes {
    let Picture { prompt, seed, index, width, height, file_type } = picture;
    let dice: [u8; 32] = Sha256::digest(format!("{prompt}\0{seed}\0{index}")).into();
    let pixels = match motif {
        Motif::Bars => bars(dice, *width, *height),
        Motif::Flat => [dice[0], dice[1], dice[2]].repeat(area(*width, *height)),
    };
    let format = match file_type {
        FileType::Png => return png(*width, *height, &pixels).into(),
        FileType::Webp => ImageFormat::WebP,
        FileType::Jpeg => ImageFormat::Jpeg,
    };
    let image = RgbImage::from_raw(*width, *height, pixels).expect("there are as many bytes as pixels need");
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, format).expect("a picture fits in memory");
    file.into_inner().into()
}

/// Returns a small PNG whose header tells of 60000 x 60000 pixels.
pub fn bomb() -> Bytes {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 60_000, 60_000);
    encoder.set_color(png::ColorType::Rgba);
    let mut writer = encoder.write_header().expect("a header fits in memory");
    // An empty zlib stream: no decoder gets further than the header unless it first makes room for all pixels.
    writer.write_chunk(png::chunk::IDAT, &[0x78, 0x01, 0x03, 0x00, 0, 0, 0, 1]).expect("a chunk fits in memory");
    drop(writer);
    file.into()
}

fn bars(dice: [u8; 32], width: u32, height: u32) -> Vec<u8> {
    let top = [dice[0], dice[1], dice[2]];
    // One channel differs by half its range, so that no hash makes a picture of one colour.
    let bottom = [dice[0] ^ 0x80, dice[3], dice[4]];
    let rows = usize::try_from(height).expect("sides are small");
    let columns = usize::try_from(width).expect("sides are small");
    let mut pixels = Vec::with_capacity(rows * columns * 3);
    for row in 0..rows {
        let mut colour = [0; 3];
        for channel in 0..3 {
            let mixed = usize::from(top[channel]) * (rows - row) + usize::from(bottom[channel]) * row;
            colour[channel] = u8::try_from(mixed / rows).expect("a mean of bytes is a byte");
        }
        let start = pixels.len();
        pixels.extend_from_slice(&colour.repeat(columns));
        for bar in dice[5..29].chunks_exact(8) {
            let from = usize::from(bar[0]) * columns / 256;
            let to = (from + 1 + usize::from(bar[1]) * columns / 1024).min(columns);
            let tall = usize::from(bar[2]) * rows / 256;
            if row >= tall {
                pixels[start + from * 3..start + to * 3].copy_from_slice(&[bar[3], bar[4], bar[5]].repeat(to - from));
            }
        }
    }
    pixels
}

fn png(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().expect("a header fits in memory");
    writer.write_image_data(pixels).expect("there are as many bytes as pixels need");
    drop(writer);
    file
}

fn area(width: u32, height: u32) -> usize {
    usize::try_from(u64::from(width) * u64::from(height)).expect("sides are small")
}
