//! Arguments that say how a plan is made, for every command that makes one.

use std::env::VarError;

use clap::Args;

use crate::asset::MicroUsd;
use crate::engine::{BytesRead, PlanOptions};
use crate::plan::{Cap, CapSetter, Coverage, Doubt, Verdicts};
use crate::record::Decision;
use crate::storage::TakeStorage;

use super::{Failure, SelectionArgs};

/// The variable that caps what a run may spend.
const CAP_VARIABLE: &str = "PIXFORM_MAX_COST";

/// How plans are made, for every command that makes one.
#[derive(Debug, Args, Default)]
pub struct LookArgs {
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Take what is recorded for true: look at no file and no row
    #[arg(long)]
    pub no_refresh: bool,
    /// Read every published file and every original, and compare the bytes
    #[arg(long, conflicts_with = "no_refresh")]
    pub deep: bool,
    /// Spend no more than so many dollars; 0 buys nothing. The lowest of this, PIXFORM_MAX_COST and guards.max_cost wins
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    pub max_cost: Option<MicroUsd>,
    /// Take the storage over, whatever its marker says
    #[arg(long)]
    pub take_storage: bool,
    #[command(flatten)]
    pub verdicts: VerdictArgs,
}

/// What becomes of earlier paid calls that stand in the way.
#[derive(Debug, Args, Default)]
pub struct VerdictArgs {
    /// Send calls again whose outcome is unknown: each may be paid for twice
    #[arg(long, conflicts_with = "forget_unknown")]
    retry_unknown: bool,
    /// Write calls off whose outcome is unknown: they count as spent, and the next run may buy anew
    #[arg(long)]
    forget_unknown: bool,
    /// Take paid pictures that are not the ones asked for
    #[arg(long, conflicts_with = "retry_rejected")]
    accept_rejected: bool,
    /// Buy another picture where a paid one is not the one asked for
    #[arg(long)]
    retry_rejected: bool,
    /// Buy again what was paid for and lost
    #[arg(long)]
    retry_lost: bool,
    /// Ask again for what the service failed at three times, or judged
    #[arg(long)]
    retry_failed: bool,
}

impl VerdictArgs {
    /// Returns the decision for each doubt that one was made about.
    pub fn verdicts(&self) -> Verdicts {
        let asked = [
            (self.retry_unknown, Doubt::Unknown, Decision::Retried),
            (self.forget_unknown, Doubt::Unknown, Decision::Forgotten),
            (self.accept_rejected, Doubt::Rejected, Decision::Accepted),
            (self.retry_rejected, Doubt::Rejected, Decision::Retried),
            (self.retry_rejected, Doubt::Withheld, Decision::Retried),
            (self.retry_lost, Doubt::Lost, Decision::Retried),
            (self.retry_failed, Doubt::Failed, Decision::Retried),
            (self.retry_failed, Doubt::Judged, Decision::Retried),
        ];
        asked.into_iter().filter(|(asked, _, _)| *asked).map(|(_, doubt, decision)| (doubt, decision)).collect()
    }
}

/// Returns the cap that the environment variable sets.
fn cap_variable() -> Result<Option<MicroUsd>, Failure> {
    match std::env::var(CAP_VARIABLE) {
        Ok(text) if !text.is_empty() => text.parse().map(Some).map_err(|_| {
            let help = "write dollars with at most six decimals, as in `0.015`";
            Failure::usage(format!("`{CAP_VARIABLE}` is no amount of money"), help)
        }),
        Ok(_) | Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            let help = "write dollars with at most six decimals, as in `0.015`";
            Err(Failure::usage(format!("`{CAP_VARIABLE}` is no amount of money"), help))
        }
    }
}

impl LookArgs {
    /// Tells whether the user insists on the storage.
    pub fn take(&self) -> TakeStorage {
        match self.take_storage {
            true => TakeStorage::Yes,
            false => TakeStorage::No,
        }
    }

    /// Returns the caps that were set here.
    pub fn caps(&self) -> Result<Vec<Cap>, Failure> {
        let caps = [(self.max_cost, CapSetter::Argument), (cap_variable()?, CapSetter::Variable)];
        Ok(caps.into_iter().filter_map(|(most, set_by)| Some(Cap { most: most?, set_by })).collect())
    }

    /// Returns how the plan is made.
    pub fn options(&self) -> Result<PlanOptions, Failure> {
        Ok(PlanOptions {
            selection: self.selection.selection(),
            refresh: if self.no_refresh { Coverage::NotAt } else { Coverage::At },
            bytes_read: if self.deep { BytesRead::All } else { BytesRead::AsNeeded },
            take: self.take(),
            caps: self.caps()?,
            verdicts: self.verdicts.verdicts(),
            ..PlanOptions::default()
        })
    }
}
