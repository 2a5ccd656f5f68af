//! The body of an order, read as strictly as the service reads it: unknown fields are ignored, known ones have ranges.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::picture::FileType;

/// The samplers by their exact names.
const SAMPLERS: [&str; 20] = [
    "Euler a",
    "Euler",
    "LMS",
    "Heun",
    "DPM2",
    "DPM2 a",
    "DPM++ 2S a",
    "DPM++ 2M",
    "DPM++ SDE",
    "DPM fast",
    "DPM adaptive",
    "LMS Karras",
    "DPM2 Karras",
    "DPM2 a Karras",
    "DPM++ 2S a Karras",
    "DPM++ 2M Karras",
    "DPM++ SDE Karras",
    "DDIM",
    "PLMS",
    "UniPC",
];
/// The programs that enlarge a picture.
const UPSCALERS: [&str; 3] = ["RealESRGAN_x4plus_anime_6B", "RealESRNet_x4plus", "Latent"];
const PROMPT_RUNES: RangeInclusive<usize> = 1..=1024;
const SIDE: RangeInclusive<i64> = 128..=2048;
const SIDE_TARGET: RangeInclusive<i64> = 128..=4096;
const ADDONS_MAX: usize = 5;

/// An order that may be carried out.
pub struct Order {
    pub body: Value,
    pub prompt: String,
    /// `None` if the service is to draw one.
    pub seed: Option<i64>,
    pub images: u32,
    /// Of the finished picture, that is, after `hires_fix`.
    pub width: u32,
    pub height: u32,
    pub file_type: FileType,
    pub nsfw_detection: bool,
    pub nsfw_level: u8,
}

/// Why an order is refused: the reason and the message of a 400.
pub struct Refusal(pub &'static str, pub String);

/// Reads the body of an order.
pub fn parse(body: &[u8]) -> Result<Order, Refusal> {
    let body: Value = serde_json::from_slice(body).map_err(|error| malformed("body", &error.to_string()))?;
    let request = object(&body, "request")?.ok_or_else(|| invalid("request", "value is required"))?;
    runes(request, "model_name", 1..=usize::MAX)?;
    let prompt = runes(request, "prompt", PROMPT_RUNES)?.to_owned();
    if request.get("negative_prompt").is_some() {
        runes(request, "negative_prompt", PROMPT_RUNES)?;
    }
    integer(request, "steps", 1..=100)?;
    number(request, "guidance_scale", 1.0..=30.0)?;
    one_of(request, "sampler_name", &SAMPLERS)?;
    addons(request, "loras")?;
    addons(request, "embeddings")?;
    if let Some(refiner) = object(request, "refiner")? {
        number(refiner, "switch_at", 0.0..=1.0)?;
    }
    let seed = match request.get("seed") {
        Some(_) => Some(integer(request, "seed", -1..=i64::MAX)?).filter(|seed| *seed >= 0),
        None => None,
    };
    let images = integer(request, "image_num", i64::MIN..=i64::MAX)?;
    let images = u32::try_from(images).ok().filter(|images| (1..=8).contains(images));
    let images = images.ok_or_else(|| malformed("image_num", "must be between 1 and 8"))?;
    let (width, height) = size(request)?;
    let extra = object(&body, "extra")?;
    let (file_type, nsfw_detection, nsfw_level) = extra.map_or(Ok((FileType::Png, false, 0)), wishes)?;
    Ok(Order { prompt, seed, images, width, height, file_type, nsfw_detection, nsfw_level, body })
}

/// Returns the prompt of a body as far as there is one, for faults that look for a text in it.
pub fn prompt_of(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body["request"]["prompt"].as_str().unwrap_or_default().to_owned()
}

fn size(request: &Value) -> Result<(u32, u32), Refusal> {
    let (mut width, mut height) = (integer(request, "width", SIDE)?, integer(request, "height", SIDE)?);
    if let Some(fix) = object(request, "hires_fix")? {
        width = integer(fix, "target_width", SIDE_TARGET)?;
        height = integer(fix, "target_height", SIDE_TARGET)?;
        number(fix, "strength", 0.0..=1.0)?;
        if fix.get("upscaler").is_some() {
            one_of(fix, "upscaler", &UPSCALERS)?;
        }
    }
    let side = |side| u32::try_from(side).expect("sides are within their range");
    Ok((side(width), side(height)))
}

/// Reads what only counts in `extra`.
fn wishes(extra: &Value) -> Result<(FileType, bool, u8), Refusal> {
    let file_type = match extra.get("response_image_type").and_then(Value::as_str) {
        Some("webp") => FileType::Webp,
        Some("jpeg") => FileType::Jpeg,
        Some("png") => FileType::Png,
        None if extra.get("response_image_type").is_none() => FileType::Png,
        _ => return Err(invalid("response_image_type", "value must be in list [png webp jpeg]")),
    };
    let detection = match extra.get("enable_nsfw_detection") {
        Some(value) => value.as_bool().ok_or_else(|| malformed("enable_nsfw_detection", "must be a bool"))?,
        None => false,
    };
    let level = match extra.get("nsfw_detection_level") {
        Some(_) => integer(extra, "nsfw_detection_level", 0..=2)?,
        None => 0,
    };
    Ok((file_type, detection, u8::try_from(level).expect("levels are within their range")))
}

fn addons(request: &Value, field: &str) -> Result<(), Refusal> {
    let Some(value) = request.get(field) else { return Ok(()) };
    let addons = value.as_array().ok_or_else(|| malformed(field, "must be a list"))?;
    if addons.len() > ADDONS_MAX {
        return Err(invalid(field, "value must contain no more than 5 item(s)"));
    }
    for addon in addons {
        runes(addon, "model_name", 1..=usize::MAX)?;
        if field == "loras" {
            number(addon, "strength", 0.0..=1.0)?;
        }
    }
    Ok(())
}

fn object<'a>(parent: &'a Value, field: &str) -> Result<Option<&'a Value>, Refusal> {
    match parent.get(field) {
        None => Ok(None),
        Some(value) if value.is_object() => Ok(Some(value)),
        Some(_) => Err(malformed(field, "must be an object")),
    }
}

fn runes<'a>(object: &'a Value, field: &str, range: RangeInclusive<usize>) -> Result<&'a str, Refusal> {
    let text = match object.get(field) {
        None => "",
        Some(value) => value.as_str().ok_or_else(|| malformed(field, "must be a string"))?,
    };
    if range.contains(&text.chars().count()) {
        return Ok(text);
    }
    let (least, most) = range.into_inner();
    Err(invalid(field, &format!("value length must be between {least} and {most} runes, inclusive")))
}

fn integer(object: &Value, field: &str, range: RangeInclusive<i64>) -> Result<i64, Refusal> {
    let number = match object.get(field) {
        None => 0,
        Some(value) => value.as_i64().ok_or_else(|| malformed(field, "must be an integer"))?,
    };
    if range.contains(&number) { Ok(number) } else { Err(out_of_range(field, &range)) }
}

fn number(object: &Value, field: &str, range: RangeInclusive<f64>) -> Result<f64, Refusal> {
    let number = match object.get(field) {
        None => 0.0,
        Some(value) => value.as_f64().ok_or_else(|| malformed(field, "must be a number"))?,
    };
    if range.contains(&number) { Ok(number) } else { Err(out_of_range(field, &range)) }
}

fn one_of(object: &Value, field: &str, names: &[&str]) -> Result<(), Refusal> {
    let name = runes(object, field, 0..=usize::MAX)?;
    if names.contains(&name) { Ok(()) } else { Err(invalid(field, "value must be in list")) }
}

fn out_of_range<T: std::fmt::Display>(field: &str, range: &RangeInclusive<T>) -> Refusal {
    invalid(field, &format!("value must be inside range [{}, {}]", range.start(), range.end()))
}

fn invalid(field: &str, what: &str) -> Refusal {
    Refusal("VALIDATOR", format!("invalid Txt2ImgRequest.{field}: {what}"))
}

fn malformed(field: &str, what: &str) -> Refusal {
    Refusal("INVALID_REQUEST_BODY", format!("{field}: {what}"))
}
