//! Plans on their way out: made with reports on what goes wrong, and printed as they were asked for.

use std::path::PathBuf;
use std::time::Instant;

use crate::engine::{self, Approval, PlanOptions, PreparedPlan};
use crate::plan::{Note, Plan};
use crate::render::{self, ReportFacts, Severity};

use super::plan_arguments::LookArgs;
use super::report::{ReportArgs, ReportFormat};
use super::{Failure, Global, ManifestArgs, Output, context};

/// What is printed and written of a plan.
#[derive(Debug, Clone, Copy)]
pub struct PlanReports<'r> {
    /// The reports beside it.
    pub written: &'r ReportArgs,
    /// What is printed, where that was said.
    pub printed: Option<ReportFormat>,
}

/// A plan that a command is about.
#[derive(Debug, Clone)]
pub struct WantedPlan<'p> {
    /// The manifests that are named.
    pub manifests: &'p [PathBuf],
    /// How it is made.
    pub look: &'p LookArgs,
    /// What was approved.
    pub approval: Approval,
    /// How many assets are enough.
    pub sample: Option<usize>,
    /// The reports that are written of what goes wrong.
    pub reports: Option<PlanReports<'p>>,
}

impl<'p> WantedPlan<'p> {
    /// Wants everything that manifests ask for, and no report.
    pub fn new(manifests: &'p ManifestArgs, look: &'p LookArgs) -> Self {
        Self { manifests: &manifests.manifests, look, approval: Approval::None, sample: None, reports: None }
    }

    /// Returns how it is made.
    pub fn options(&self) -> Result<PlanOptions, Failure> {
        Ok(PlanOptions { approval: self.approval.clone(), sample: self.sample, ..self.look.options()? })
    }

    /// Settles the environment, loads, looks, and plans; writes nothing, but for reports on what goes wrong.
    pub async fn prepare(&self, global: &Global, output: &Output) -> Result<PreparedPlan, Failure> {
        let named = global.env.as_deref().unwrap_or("local");
        let environment =
            context::environment(global, output).map_err(|failure| self.failed(failure, named, output))?;
        let name = environment.name().to_owned();
        let prepared = async { Ok(engine::prepare(environment, self.manifests, &self.options()?, output).await?) };
        prepared.await.map_err(|failure| self.failed(failure, &name, output))
    }

    fn failed(&self, failure: Failure, environment: &str, output: &Output) -> Failure {
        match self.reports {
            Some(reports) => reports.failed(failure, environment, output),
            None => failure,
        }
    }
}

impl PlanReports<'_> {
    /// Writes reports on why there is no plan, and hands the failure on.
    pub fn failed(self, failure: Failure, environment: &str, output: &Output) -> Failure {
        self.written.failed(failure, environment, self.printed, output)
    }
}

/// Annotates why a plan may not be carried out, where a workflow has annotations.
pub fn annotate(plan: &Plan, output: &Output) {
    for refusal in &plan.refusals {
        output.annotate(Severity::Warning, &refusal.message, Some(&refusal.way_out), None);
    }
}

/// Prints a plan as it was asked for.
pub fn print(plan: &Plan, begun: Instant, output: &Output) {
    annotate(plan, output);
    if plan.notes.contains(&Note::OpenOriginals) && !output.is_json() {
        output.originals_open();
    }
    if output.is_json() {
        for event in render::plan_events(plan) {
            output.event(&event);
        }
    } else {
        let facts = render::PlanFacts { elapsed: begun.elapsed() };
        output.data(&render::plan_text(plan, facts, output.style()));
    }
}

/// Returns a plan as the format says that was asked for, where that is not text.
pub fn printed(format: Option<ReportFormat>, plan: &Plan, facts: Option<&ReportFacts>) -> Option<String> {
    match (format, facts) {
        (Some(ReportFormat::Markdown), Some(facts)) => Some(render::report_markdown(Some(plan), facts)),
        (Some(ReportFormat::Html), Some(facts)) => Some(render::report_html(Some(plan), facts)),
        (Some(ReportFormat::Json), _) => Some(format!("{}\n", render::plan_document(plan))),
        _ => None,
    }
}
