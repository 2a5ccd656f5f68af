//! AVIF: the picture in its container, brought to red, green, blue and alpha.
//!
//! Frames are decoded by a port of dav1d to Rust, in one thread and without its assembly, so that every machine gets the
//! same pixels; all sizes are read and bounded before. Of an animation the still picture beside it is taken.

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer};
use re_rav1d::dav1d::pixel::YUVRange;
use re_rav1d::dav1d::{self, Decoder, Picture, PixelLayout, PlanarImageComponent, Settings};
use zenavif_parse::{AV1Metadata, AvifParser, ColorInformation, DecodeConfig, Unstoppable};

use super::colour::Space;
use super::completeness::boxes_end;
use super::yuv::{Matrix, Planes, Range, Samples, Sharing, YuvCanvas};
use super::{BYTES_MAX, ImagingError, PIXELS_MAX, broken};

/// Tiles of one picture at most; each is a picture of its own.
const TILES_MAX: u32 = 256;

/// What a file says of its picture, before the pixels are looked at.
pub(super) struct Container<'b> {
    parser: AvifParser<'b>,
    /// The size before it is turned, in pixels.
    pub size: (u32, u32),
    /// How it is turned.
    pub orientation: Orientation,
}

/// The planes of a frame, which are read where they lie.
struct AvifFrame {
    picture: Picture,
    planes: Vec<dav1d::Plane>,
}

impl<'b> Container<'b> {
    /// Reads the container, and the header of the first frame.
    pub fn read(bytes: &'b [u8]) -> Result<Self, ImagingError> {
        let config = DecodeConfig::default()
            .with_max_grid_tiles(TILES_MAX)
            .with_total_megapixels_limit((PIXELS_MAX / 1_000_000) as u32 + 1)
            .with_peak_memory_limit(BYTES_MAX * 2);
        let bytes = boxes_end(bytes).and_then(|end| bytes.get(..end)).unwrap_or(bytes);
        let parser = AvifParser::from_bytes_with_config(bytes, &config, &Unstoppable).map_err(broken)?;
        let first = if parser.grid_tile_count() == 0 { parser.primary_data() } else { parser.tile_data(0) };
        let first = AV1Metadata::parse_av1_bitstream(&first.map_err(broken)?).map_err(broken)?;
        let (width, height) = (first.max_frame_width.get(), first.max_frame_height.get());
        let size = parser.grid_config().map_or((width, height), |grid| {
            let side = |said: u32, tile: u32, tiles: u8| {
                let whole = tile.saturating_mul(u32::from(tiles.max(1)));
                if said == 0 { whole } else { said.min(whole) }
            };
            (side(grid.output_width, width, grid.columns), side(grid.output_height, height, grid.rows))
        });
        let (angle, axis) = (parser.rotation().map(|turn| turn.angle), parser.mirror().map(|mirror| mirror.axis));
        Ok(Self { size, orientation: orientation(angle.unwrap_or(0), axis), parser })
    }

    /// Decodes the picture, not yet turned, and tells what its numbers mean.
    pub fn decode(&self) -> Result<(DynamicImage, Space), ImagingError> {
        let (width, height) = self.size;
        let mut canvas = YuvCanvas::new(width, height);
        let mut space = Space::Srgb;
        let tiles = self.parser.grid_tile_count();
        let columns = self.parser.grid_config().map_or(1, |grid| usize::from(grid.columns.max(1)));
        for number in 0..tiles.max(1) {
            let data = if tiles == 0 { self.parser.primary_data() } else { self.parser.tile_data(number) };
            let frame = AvifFrame::decode(data.map_err(broken)?.into_owned())?;
            let (wide, high) = (frame.picture.width(), frame.picture.height());
            if tiles == 0 && (wide, high) != self.size {
                return Err(broken("the frame has another size than its header says"));
            }
            let corner = ((number % columns) * wide as usize, (number / columns) * high as usize);
            let (matrix, range) = self.matrix(&frame.picture)?;
            canvas.paint(&frame.planes(), corner, matrix, range);
            if number == 0 {
                space = self.space(&frame.picture);
            }
        }
        if let Some(alpha) = self.parser.alpha_data() {
            let frame = AvifFrame::decode(alpha.map_err(broken)?.into_owned())?;
            if (frame.picture.width(), frame.picture.height()) != self.size {
                return Err(broken("its transparency has another size"));
            }
            canvas.mask(&frame.planes().light, range(frame.picture.color_range() == YUVRange::Full));
            if self.parser.premultiplied_alpha() {
                canvas.divide();
            }
        }
        let picture = ImageBuffer::from_raw(width, height, canvas.pixels).expect("a canvas has four channels a pixel");
        Ok((DynamicImage::ImageRgba16(picture), space))
    }

    /// Tells what the numbers mean: what the container says comes before what the frame says.
    fn space(&self, frame: &Picture) -> Space {
        match self.parser.color_info() {
            Some(ColorInformation::IccProfile(profile)) => Space::Profile(profile.clone()),
            Some(ColorInformation::Nclx { color_primaries, transfer_characteristics, .. }) => {
                let code = |number: &u16| u8::try_from(*number).unwrap_or_default();
                Space::Coded { primaries: code(color_primaries), transfer: code(transfer_characteristics) }
            }
            None => Space::Coded {
                primaries: frame.color_primaries() as u8,
                transfer: frame.transfer_characteristic() as u8,
            },
        }
    }

    fn matrix(&self, frame: &Picture) -> Result<(Matrix, Range), ImagingError> {
        let (code, range) = match self.parser.color_info() {
            Some(ColorInformation::Nclx { matrix_coefficients, full_range, .. }) => {
                (*matrix_coefficients, range(*full_range))
            }
            Some(ColorInformation::IccProfile(_)) | None => {
                (frame.matrix_coefficients() as u16, range(frame.color_range() == YUVRange::Full))
            }
        };
        let matrix = Matrix::of(code).ok_or_else(|| broken(format!("nothing is known of its matrix {code}")))?;
        Ok((matrix, range))
    }
}

impl AvifFrame {
    /// Decodes one frame of AV1.
    fn decode(data: Vec<u8>) -> Result<Self, ImagingError> {
        let mut settings = Settings::new();
        settings.set_n_threads(1);
        settings.set_max_frame_delay(1);
        settings.set_frame_size_limit(PIXELS_MAX as u32);
        let mut decoder = Decoder::with_settings(&settings).map_err(broken)?;
        match decoder.send_data(data, None, None, None) {
            Ok(()) | Err(dav1d::Error::Again) => {}
            Err(error) => return Err(broken(error)),
        }
        let picture = decoder.get_picture().map_err(broken)?;
        let components = match picture.pixel_layout() {
            PixelLayout::I400 => &[PlanarImageComponent::Y][..],
            PixelLayout::I420 | PixelLayout::I422 | PixelLayout::I444 => {
                &[PlanarImageComponent::Y, PlanarImageComponent::U, PlanarImageComponent::V]
            }
        };
        let planes = components.iter().map(|component| picture.plane(*component)).collect();
        Ok(Self { picture, planes })
    }

    fn planes(&self) -> Planes<'_> {
        let bits = self.picture.bits_per_component().map_or(8, |bits| bits.0 as u8);
        let (width, height) = (self.picture.width() as usize, self.picture.height() as usize);
        let (sharing, size) = match self.picture.pixel_layout() {
            PixelLayout::I420 => (Sharing::Square, (width.div_ceil(2), height.div_ceil(2))),
            PixelLayout::I422 => (Sharing::Across, (width.div_ceil(2), height)),
            PixelLayout::I400 | PixelLayout::I444 => (Sharing::One, (width, height)),
        };
        let samples = |plane: usize, component, (width, height): (usize, usize)| {
            let (stride, _) = self.picture.plane_data_geometry(component);
            Samples { bytes: &self.planes[plane], stride: stride as usize, width, height, bits }
        };
        let light = samples(0, PlanarImageComponent::Y, (width, height));
        let colours = (self.planes.len() == 3)
            .then(|| (samples(1, PlanarImageComponent::U, size), samples(2, PlanarImageComponent::V, size), sharing));
        Planes { light, colours }
    }
}

fn range(full: bool) -> Range {
    if full { Range::Full } else { Range::Limited }
}

/// Returns how a picture is turned: counter-clockwise first, then mirrored, as the format says.
///
/// Source: ISO/IEC 23008-12, 6.5.10 and 6.5.12: axis 0 swaps top and bottom, axis 1 left and right.
fn orientation(angle: u16, axis: Option<u8>) -> Orientation {
    match (angle, axis) {
        (90, None) => Orientation::Rotate270,
        (180, None) => Orientation::Rotate180,
        (270, None) => Orientation::Rotate90,
        (90, Some(0)) => Orientation::Rotate90FlipH,
        (90, Some(_)) => Orientation::Rotate270FlipH,
        (180, Some(0)) | (0, Some(1)) => Orientation::FlipHorizontal,
        (180, Some(_)) | (0, Some(_)) => Orientation::FlipVertical,
        (270, Some(0)) => Orientation::Rotate270FlipH,
        (270, Some(_)) => Orientation::Rotate90FlipH,
        (_, _) => Orientation::NoTransforms,
    }
}
