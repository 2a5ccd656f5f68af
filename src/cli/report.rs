//! Reports beside a command: Markdown for a pull request, HTML for eyes.
//!
//! The one place where [`ReportFacts`] are put together, for every command that has a plan to report on.

use std::path::PathBuf;

use crate::asset::MicroUsd;
use crate::engine::{self, Environment, LoadedManifests, PictureCopies, PreparedPlan};
use crate::files;
use crate::plan::{Action, Plan};
use crate::render::{
    self, ChangeCosts, ChangeWhole, HistoryCosts, MARKDOWN_LIMIT, MonthFacts, ReportFacts, ReportStage,
};
use crate::secret;
use crate::state::{Access, ChangeSet, HistoryQuery};
use crate::world::World;

use super::ledger_entry::entry;
use super::stranger_text::address;
use super::way_out::WayOut;
use super::{Failure, Output, change_set, origin};

/// Days for which gc keeps what was previewed, unless it is told otherwise.
const KEPT_DAYS: i64 = 30;

/// Which reports are written, and where.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// Write the report for a pull request, as Markdown
    #[arg(long, value_name = "FILE")]
    out_markdown: Option<PathBuf>,
    /// Write the report with its pictures, as one HTML page
    #[arg(long, value_name = "FILE")]
    out_html: Option<PathBuf>,
    /// Characters that the Markdown may have; GitHub takes 65,536
    #[arg(long, value_name = "N", default_value_t = MARKDOWN_LIMIT as u64, value_parser = clap::value_parser!(u64).range(1_000..))]
    markdown_limit: u64,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ReportFormat {
    /// For people at a terminal
    Text,
    /// One document, for programs
    Json,
    /// For a pull request
    Markdown,
    /// One page with its pictures
    Html,
}

/// What a report is about.
#[derive(Clone, Copy)]
pub struct AboutPlan<'a> {
    /// The environment, opened.
    pub world: &'a World,
    /// The same, as it is settled.
    pub environment: &'a Environment,
    /// The manifests.
    pub loaded: &'a LoadedManifests,
    /// The plan.
    pub plan: &'a Plan,
}

/// How far what is reported on has come.
#[derive(Debug)]
pub struct ReportedStage<'a> {
    /// The stage.
    pub stage: ReportStage,
    /// The arguments that select assets, for the commands that are named.
    pub arguments: &'a str,
}

/// What an apply came to.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// What it paid.
    pub paid: MicroUsd,
    /// How many assets were not done.
    pub undone: u64,
}

impl ReportArgs {
    /// Tells whether any report is written.
    pub fn any(&self) -> bool {
        self.out_markdown.is_some() || self.out_html.is_some()
    }

    fn copies(&self, printed: Option<ReportFormat>) -> PictureCopies {
        let html = self.out_html.is_some() || printed == Some(ReportFormat::Html);
        if html { PictureCopies::Wanted } else { PictureCopies::Unwanted }
    }

    /// Puts together what a report on a plan says besides the plan.
    ///
    /// What only a preview knows (`paid`, `kept_until`) is for [`ReportArgs::previewed`] to fill in.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn facts(
        &self,
        prepared: &PreparedPlan,
        printed: Option<ReportFormat>,
        reported: ReportedStage<'_>,
        output: &Output,
    ) -> Result<ReportFacts, Failure> {
        let PreparedPlan { environment, loaded, plan, takes: _ } = prepared;
        let world = environment.open(Access::Read).await?;
        self.facts_of(AboutPlan { world: &world, environment, loaded, plan }, self.copies(printed), reported, output)
            .await
    }

    /// Writes reports on a plan that is about to be carried out, and returns what they say, where any are asked for: should
    /// anything go wrong on the way, they say what was planned.
    ///
    /// # Errors
    /// When the state cannot be read, or a file not be written.
    pub async fn planned(
        &self,
        prepared: &PreparedPlan,
        arguments: &str,
        output: &Output,
    ) -> Result<Option<ReportFacts>, Failure> {
        if !self.any() {
            return Ok(None);
        }
        let facts =
            self.facts(prepared, None, ReportedStage { stage: ReportStage::Planned, arguments }, output).await?;
        self.write(Some(&prepared.plan), &facts)?;
        Ok(Some(facts))
    }

    async fn facts_of(
        &self,
        about: AboutPlan<'_>,
        copies: PictureCopies,
        reported: ReportedStage<'_>,
        output: &Output,
    ) -> Result<ReportFacts, Failure> {
        let AboutPlan { world, environment, loaded, plan } = about;
        let ReportedStage { stage, arguments } = reported;
        let month = month(world, environment).await?;
        Ok(ReportFacts {
            assets: engine::plan_pictures(world, environment, loaded, plan, copies).await?,
            change: change_costs(world, month.as_ref()).await?,
            month,
            commands: commands(plan, &stage, arguments, output),
            stage,
            mistakes: output.mistakes(),
            ..self.bare(&plan.environment)
        })
    }

    /// Puts together what a report on a plan says whose pictures were made since: the plan is that of now.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn previewed(
        &self,
        about: AboutPlan<'_>,
        paid: MicroUsd,
        arguments: &str,
        output: &Output,
    ) -> Result<ReportFacts, Failure> {
        let facts = self
            .facts_of(about, self.copies(None), ReportedStage { stage: ReportStage::Previewed, arguments }, output)
            .await?;
        let until = today().and_then(|today| today.checked_add(jiff::Span::new().days(KEPT_DAYS)).ok());
        Ok(ReportFacts {
            paid: (paid > MicroUsd(0)).then_some(paid),
            kept_until: until.map(|until| until.strftime("%-d %B").to_string()),
            ..facts
        })
    }

    /// Puts together what a report on a comparison of manifests says, which knows of no picture; `command` repeats it.
    pub fn compared(&self, plan: &Plan, command: &str, output: &Output) -> ReportFacts {
        let commands = vec![output.command(command)];
        ReportFacts { commands, mistakes: output.mistakes(), ..self.bare(&plan.environment) }
    }

    /// Completes the facts of a plan that was carried out since: the new pictures are there now.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn applied(
        &self,
        facts: ReportFacts,
        prepared: &PreparedPlan,
        Done { paid, undone }: Done,
        output: &Output,
    ) -> Result<ReportFacts, Failure> {
        let stage = ReportStage::Applied { at: engine::timestamp(), undone };
        let now = self.facts(prepared, None, ReportedStage { stage, arguments: "" }, output).await?;
        let assets = now.assets.into_iter().map(|(name, mut asset)| {
            // The record is the new one by now, so what was live is what was seen before.
            asset.before = facts.assets.get(&name).and_then(|known| known.before.clone());
            (name, asset)
        });
        Ok(ReportFacts { assets: assets.collect(), paid: (paid > MicroUsd(0)).then_some(paid), ..now })
    }

    /// Writes the reports that are asked for.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, plan: Option<&Plan>, facts: &ReportFacts) -> Result<(), Failure> {
        let write = |path: &Option<PathBuf>, make: &dyn Fn() -> String| match path {
            Some(path) => files::write(path, &*secret::shade(&make())).map_err(|source| Failure::write(path, source)),
            None => Ok(()),
        };
        write(&self.out_markdown, &|| render::report_markdown(plan, facts))?;
        write(&self.out_html, &|| render::report_html(plan, facts))
    }

    /// Writes reports on why there is no plan, prints the one that was to be printed, and hands the failure on.
    pub fn failed(
        &self,
        failure: Failure,
        environment: &str,
        printed: Option<ReportFormat>,
        output: &Output,
    ) -> Failure {
        let mut facts = self.bare(environment);
        facts.mistakes = output.mistakes();
        facts.mistakes.extend(output.mistakes_of(&failure));
        facts.commands = WayOut::of(&failure).next.map(|command| output.command(command)).into_iter().collect();
        match printed {
            Some(ReportFormat::Markdown) => output.data(&render::report_markdown(None, &facts)),
            Some(ReportFormat::Html) => output.data(&render::report_html(None, &facts)),
            Some(ReportFormat::Text | ReportFormat::Json) | None => {}
        }
        // What cannot be written is told of, and what went wrong first stays what the command ends with.
        if let Err(error) = self.write(None, &facts) {
            output.report(&error);
        }
        failure
    }

    fn bare(&self, environment: &str) -> ReportFacts {
        let head = head();
        ReportFacts {
            lines: head.as_deref().and_then(lines),
            head,
            limit: usize::try_from(self.markdown_limit).unwrap_or(usize::MAX),
            ..ReportFacts::new(environment)
        }
    }
}

/// Returns what to run next.
fn commands(plan: &Plan, stage: &ReportStage, arguments: &str, output: &Output) -> Vec<String> {
    let undecided = plan.count(Action::Unknown) > 0;
    let next = match stage {
        ReportStage::Applied { undone: 0, .. } => vec!["pixform check".to_owned()],
        ReportStage::Applied { .. } => vec!["pixform plan".to_owned()],
        ReportStage::Planned | ReportStage::Previewed if undecided => vec!["pixform history".to_owned()],
        ReportStage::Planned | ReportStage::Previewed if plan.is_empty() || !plan.refusals.is_empty() => {
            vec![format!("pixform plan{arguments}")]
        }
        ReportStage::Planned => vec![format!("pixform plan{arguments}"), format!("pixform apply{arguments}")],
        ReportStage::Previewed => {
            vec![format!("pixform plan{arguments}"), format!("pixform apply{arguments} --max-cost 0")]
        }
    };
    next.iter().map(|command| output.command(command)).collect()
}

/// Returns what was spent since the first of the month, as its cap counts it.
async fn month(world: &World, environment: &Environment) -> Result<Option<MonthFacts>, Failure> {
    let Some(today) = today() else { return Ok(None) };
    let (name, cap) = (today.strftime("%B").to_string(), environment.settings.guards.max_cost_month);
    let spent = world.state.spent_this_month().await?;
    // Where nothing is paid for and nothing capped, there is nothing to say.
    Ok((spent > MicroUsd(0) || cap.is_some()).then_some(MonthFacts { name, spent, cap }))
}

fn today() -> Option<jiff::Zoned> {
    Some(jiff::Timestamp::from_second(engine::now()).ok()?.to_zoned(jiff::tz::TimeZone::UTC))
}

/// Returns what the runs were charged that belong where this one does, whatever they were for; `None` where that is not
/// known, or nobody here pays for anything.
async fn change_costs(world: &World, month: Option<&MonthFacts>) -> Result<Option<ChangeCosts>, Failure> {
    let Some(of) = ChangeSet::of(&origin::here()) else { return Ok(None) };
    let whole = match of {
        ChangeSet::PullRequest(_) => ChangeWhole::PullRequest,
        ChangeSet::Branch(_) => ChangeWhole::Branch,
    };
    let mut costs = HistoryCosts::default();
    let query = HistoryQuery { of: Some(of), ..HistoryQuery::default() };
    world.state.history(&query, &mut |line| costs.add(&entry(line))).await?;
    let told = month.is_some() || costs.charged > MicroUsd(0) || costs.maybe > MicroUsd(0);
    Ok(told.then_some(ChangeCosts { whole, charged: costs.charged, maybe: costs.maybe }))
}

/// Returns the commit that is reported on: that of the pull request rather than of its merge, which nobody wrote.
fn head() -> Option<String> {
    let of_pull_request = || change_set::event()?.pointer("/pull_request/head/sha")?.as_str().map(str::to_owned);
    let told = std::env::var("PIXFORM_COMMIT").ok().filter(|commit| !commit.is_empty());
    told.or_else(of_pull_request).or_else(|| origin::here().commit)
}

/// Returns the address of the working folder's files at that commit, where a CI system tells it.
fn lines(head: &str) -> Option<String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let github = || Some(format!("{}/{}/blob", variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?));
    let gitlab = || Some(format!("{}/-/blob", variable("CI_PROJECT_URL")?));
    let base = address(&github().or_else(gitlab)?)?;
    let here = std::env::current_dir().ok()?;
    let root = here.ancestors().find(|folder| folder.join(".git").exists())?;
    let inside = here.strip_prefix(root).ok()?.to_str()?;
    let inside = if inside.is_empty() { String::new() } else { format!("{inside}/") };
    let commit = head.bytes().all(|byte| byte.is_ascii_hexdigit());
    commit.then(|| format!("{}/{head}/{inside}", base.trim_end_matches('/')))
}
