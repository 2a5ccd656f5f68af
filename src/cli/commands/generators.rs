//! `pixform generators [KIND]`

use crate::asset::KindSpec;
use crate::render;

use crate::cli::{Failure, Global, Output};

/// Arguments of `generators`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this kind, with all that its table says
    kind: Option<String>,
}

/// Prints the kinds of generators that there are, or one of them whole.
pub fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let all = global.kinds.specs();
    let kinds: Vec<&'static KindSpec> = match &args.kind {
        None => all,
        Some(name) => {
            let Some(kind) = global.kinds.named(name) else {
                let names: Vec<&str> = all.iter().map(|kind| kind.name).collect();
                let help = match crate::yaml::nearest(name, names.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("there are `{}`", names.join("`, `")),
                };
                return Err(Failure::usage(format!("there is no kind of generator `{name}`"), help));
            };
            vec![kind.spec]
        }
    };
    let text = match (output.is_json(), &args.kind) {
        (true, _) => kinds.iter().map(|kind| format!("{}\n", render::kind_json(kind))).collect(),
        (false, None) => render::kinds_text(&kinds),
        (false, Some(_)) => kinds.iter().map(|kind| render::kind_text(kind)).collect(),
    };
    output.data(&text);
    Ok(0)
}
