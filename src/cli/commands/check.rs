//! `pixform check`

use std::collections::BTreeSet;

use crate::engine::{self, BytesRead, CheckOptions, Checked, Finding, VisitorCheck};
use crate::render::{Severity, terminal};
use crate::secret::chain;

use crate::cli::{Failure, Global, ManifestArgs, Output, SelectionArgs, context};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Read every published file and every original, and compare the bytes
    #[arg(long)]
    deep: bool,
}

/// Leftover files that are named.
const EXAMPLES_MAX: usize = 5;

/// Looks at every declared asset and tells what is wrong.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment(global, output)?;
    let loaded = engine::load_manifests(&args.manifests.manifests, &environment, output)?;
    if loaded.declared.is_empty() && loaded.broken > 0 {
        return Err(Failure::broken(loaded.broken));
    }
    let options = CheckOptions {
        selection: args.selection.selection(),
        bytes_read: if args.deep { BytesRead::All } else { BytesRead::AsNeeded },
    };
    let checked = engine::check(&environment, &loaded, &options, output).await?;
    tell(&checked, output);
    match (loaded.broken, checked.findings.is_empty()) {
        (0, true) => Ok(0),
        (0, false) => {
            let is_forgotten = checked.forgotten.is_some() && args.deep;
            output.next(if is_forgotten { "pixform plan --deep" } else { "pixform plan" });
            Ok(2)
        }
        (count, _) => Err(Failure::broken(count)),
    }
}

fn tell(checked: &Checked, output: &Output) {
    let Checked { count, findings, visitors, leftovers, forgotten } = checked;
    if output.is_json() {
        for Finding { key, what } in findings {
            output.diagnostic(Severity::Error, &format!("{key}: {what}"), None, None);
        }
    } else {
        let width = findings.iter().map(|finding| finding.key.len()).max().unwrap_or_default();
        let mut text = String::new();
        for Finding { key, what } in findings {
            text.push_str(&format!("  ! {key:<width$}   {}\n", terminal(what)));
        }
        let count = match count {
            1 => "1 asset".to_owned(),
            count => format!("{count} assets"),
        };
        let wrong = findings.iter().map(|finding| &finding.key).collect::<BTreeSet<_>>().len();
        match wrong {
            0 if *visitors == VisitorCheck::Warned => {
                text.push_str(&format!(
                    "Checked {count}: rows and files are as they should be, but visitors do not get them.\n"
                ));
            }
            0 => text.push_str(&format!("Checked {count}: all is well.\n")),
            wrong => text.push_str(&format!("\nChecked {count}: something is wrong with {wrong}.\n")),
        }
        output.data(&text);
    }
    if !leftovers.is_empty() {
        let some: Vec<String> =
            leftovers.iter().take(EXAMPLES_MAX).map(|path| format!("`{}`", terminal(path))).collect();
        let more = if leftovers.len() > EXAMPLES_MAX { ", …" } else { "" };
        let files = if leftovers.len() == 1 { "file is" } else { "files are" };
        output.talk(&format!(
            "note: {} {files} in the storage that nothing knows, and that pixform leaves alone: {}{more}",
            leftovers.len(),
            some.join(", ")
        ));
    }
    if let Some(error) = forgotten {
        output.talk(&format!(
            "note: nothing of this is remembered for the next plan ({}): `pixform plan --deep` finds it again, and `pixform \
             apply --deep` repairs it",
            terminal(&chain(error))
        ));
    }
}
