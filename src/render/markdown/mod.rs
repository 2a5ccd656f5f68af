//! Plans as Markdown: the comment below a pull request.
//!
//! A host takes so many characters and no more, so a report is written in shapes, each shorter than the one before, until
//! one fits: pictures become links, then details become counts. A shape is whole by itself, so nothing is ever cut.

mod asset_table;
mod markdown_escape;
mod mistake_section;
mod report_sections;

use crate::plan::Plan;

use super::report_facts::{ReportFacts, ReportStage, live_since, sentence};

/// How a picture is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pictures {
    /// As a picture.
    Shown,
    /// As a link.
    Linked,
    /// In words.
    Told,
}

/// How long a report gets.
#[derive(Debug, Clone, Copy)]
struct ReportShape {
    pictures: Pictures,
    /// Rows of the table.
    rows: usize,
    /// Edits that are told, and mistakes, refusals, notes and questions likewise.
    edits: usize,
    /// Lines among the folded details.
    details: usize,
    /// Characters of one text.
    characters: usize,
}

const fn shape(pictures: Pictures, [rows, edits, details, characters]: [usize; 4]) -> ReportShape {
    ReportShape { pictures, rows, edits, details, characters }
}

/// All shapes, the longest first.
const SHAPES: [ReportShape; 16] = [
    shape(Pictures::Shown, [1_000_000, 200, 60, 600]),
    shape(Pictures::Linked, [1_000_000, 200, 60, 600]),
    shape(Pictures::Linked, [1_000_000, 60, 0, 400]),
    shape(Pictures::Linked, [800, 40, 0, 400]),
    shape(Pictures::Linked, [400, 40, 0, 300]),
    shape(Pictures::Linked, [200, 40, 0, 300]),
    shape(Pictures::Linked, [100, 20, 0, 300]),
    shape(Pictures::Linked, [50, 20, 0, 200]),
    shape(Pictures::Linked, [20, 10, 0, 200]),
    shape(Pictures::Told, [20, 10, 0, 160]),
    shape(Pictures::Told, [10, 5, 0, 160]),
    shape(Pictures::Told, [10, 3, 0, 120]),
    shape(Pictures::Told, [5, 2, 0, 100]),
    shape(Pictures::Told, [3, 1, 0, 80]),
    shape(Pictures::Told, [0, 1, 0, 60]),
    shape(Pictures::Told, [0, 0, 0, 40]),
];

/// Returns the beginning of the first line of every report on an environment, by which a host's comment is found again.
pub fn report_marker(environment: &str) -> String {
    // What could end the comment is not among these.
    let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    let name: String = environment.chars().take(60).map(|c| if plain(c) { c } else { '_' }).collect();
    format!("<!-- pixform:v1 env={} ", name.replace("--", "-_"))
}

/// Returns the report on a plan, or on why there is none; never longer than the limit, if that is 1,000 or more.
pub fn report_markdown(plan: Option<&Plan>, facts: &ReportFacts) -> String {
    let mut report = String::new();
    for (number, shape) in SHAPES.iter().enumerate() {
        report = Report { plan, facts, shape: *shape, number }.write();
        if report.chars().count() <= facts.limit {
            break;
        }
    }
    report
}

/// A report in one of its shapes.
struct Report<'r> {
    plan: Option<&'r Plan>,
    facts: &'r ReportFacts,
    shape: ReportShape,
    /// The number of the shape; 0 is the whole report.
    number: usize,
}

impl Report<'_> {
    fn write(&self) -> String {
        let parts = [
            self.head(),
            mistake_section::mistakes(self.facts, self.shape),
            self.plan.map(|plan| report_sections::refusals(plan, self.shape)).unwrap_or_default(),
            self.plan.map(|plan| asset_table::table(plan, self.facts, self.shape)).unwrap_or_default(),
            self.plan.map(|plan| report_sections::edits(plan, self.facts, self.shape)).unwrap_or_default(),
            self.plan.map(|plan| report_sections::another(plan, self.facts, self.shape)).unwrap_or_default(),
            self.plan.map(|plan| report_sections::notes(plan, self.shape)).unwrap_or_default(),
            self.plan.map(|plan| report_sections::details(plan, self.facts, self.shape)).unwrap_or_default(),
            report_sections::commands(self.facts),
            self.shortened(),
            report_sections::foot(self.facts),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n")
    }

    /// The hidden line, the headline, and the sentence with counts and money.
    fn head(&self) -> String {
        let marker = report_marker(&self.facts.environment);
        let plan = self.plan.map(|plan| format!("plan={} ", plan.digest())).unwrap_or_default();
        let head = report_sections::head_commit(self.facts).map(|head| format!("head={head} ")).unwrap_or_default();
        let environment = markdown_escape::text(&self.facts.environment, 60);
        let live = live_since(self.facts).map(|at| format!("Live since {at}. ")).unwrap_or_default();
        let sentence = match self.plan {
            Some(plan) => sentence(plan, self.facts),
            None if self.facts.stage == ReportStage::Planned => "Nothing could be planned.".to_owned(),
            None => "Nothing was done.".to_owned(),
        };
        format!("{marker}{plan}{head}-->\n### Pictures · {environment}\n**{live}{sentence}**\n")
    }

    fn shortened(&self) -> String {
        let what = match (self.number, self.shape.pictures) {
            (0, _) => return String::new(),
            (_, Pictures::Shown | Pictures::Linked) if self.number < 2 => "pictures are links",
            (_, Pictures::Shown | Pictures::Linked) => "pictures are links, details are counts",
            (_, Pictures::Told) => "pictures are left out, details are counts",
        };
        format!("_Shortened to fit: {what}. `pixform plan --out-html report.html` writes all of it._\n")
    }
}
