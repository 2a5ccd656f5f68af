//! The request, as the service sees it.

use serde_json::Value;

use crate::paid::{Paid, portraits};

#[test]
fn every_field_of_a_recipe_is_sent() {
    let whole = "seed: 4294967295
  negative_prompt: nude, naked, nsfw, low quality
  sd_vae: vae-ft-mse-840000-ema-pruned.safetensors
  loras: [{ model_name: studio_light_42, strength: 0.6 }, { model_name: film_grain_7, strength: 1 }]
  embeddings: [{ model_name: BadDream_53202 }]
  hires_fix: { target_width: 256, target_height: 256, strength: 0.4, upscaler: RealESRNet_x4plus }
  refiner: { switch_at: 0.8 }
  clip_skip: 2
  enable_transparent_background: true
  restore_faces: true";
    let paid = Paid::new(&portraits(1).replace("seed: derived", whole));
    paid.apply(&[]).expect(0);
    let request = paid.fake.requests().remove(0);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v3/async/txt2img"));
    assert_eq!(request.headers["authorization"], "Bearer test-key");
    assert_eq!(request.headers["content-type"], "application/json");
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert!(body["request"]["seed"].is_u64());
    insta::assert_json_snapshot!(body, @r#"
    {
      "extra": {
        "response_image_type": "png"
      },
      "request": {
        "clip_skip": 2,
        "embeddings": [
          {
            "model_name": "BadDream_53202"
          }
        ],
        "enable_transparent_background": true,
        "guidance_scale": 7.5,
        "height": 128,
        "hires_fix": {
          "strength": 0.4,
          "target_height": 256,
          "target_width": 256,
          "upscaler": "RealESRNet_x4plus"
        },
        "image_num": 1,
        "loras": [
          {
            "model_name": "studio_light_42",
            "strength": 0.6
          },
          {
            "model_name": "film_grain_7",
            "strength": 1
          }
        ],
        "model_name": "sd_xl_base_1.0.safetensors",
        "negative_prompt": "nude, naked, nsfw, low quality",
        "prompt": "studio portrait of a baker in his fifties, in a white apron and a cap, plain light background",
        "refiner": {
          "switch_at": 0.8
        },
        "restore_faces": true,
        "sampler_name": "DPM++ 2M Karras",
        "sd_vae": "vae-ft-mse-840000-ema-pruned.safetensors",
        "seed": 4294967295,
        "steps": 20,
        "width": 128
      }
    }
    "#);
}

#[test]
fn what_is_not_set_is_not_sent() {
    let paid = Paid::new(&portraits(1).replace("seed: derived", "seed: 7"));
    paid.apply(&[]).expect(0);
    insta::assert_snapshot!(paid.fake.requests()[0].body, @r#"{"extra":{"response_image_type":"png"},"request":{"model_name":"sd_xl_base_1.0.safetensors","prompt":"studio portrait of a baker in his fifties, in a white apron and a cap, plain light background","width":128,"height":128,"image_num":1,"seed":7,"guidance_scale":7.5,"sampler_name":"DPM++ 2M Karras","steps":20}}"#);
}
