//! Reports: ten plans in every format against golden files, and their Markdown as a host reads it.

mod commands;
mod page;
mod plans;

use std::time::Duration;

use comrak::nodes::{Node, NodeValue};
use comrak::{Arena, Options, parse_document};
use pixform::digest::ContentDigest;
use pixform::plan::Plan;
use pixform::render::{
    MistakeFacts, PlanFacts, PlanStyle, ReportFacts, Spot, plan_document, plan_text, report_html, report_markdown,
    report_marker,
};

use plans::{Case, HOSTILE, cases};

/// Longer golden files are kept as their beginning and a digest of the whole.
const GOLDEN_MAX: usize = 40_000;

/// Compares with the golden file of that name.
fn golden(name: &str, text: &str) {
    let mut kept = text.to_owned();
    if text.len() > GOLDEN_MAX {
        let end = (0..=8_000).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        kept = format!("{}\n… {} bytes, {}\n", &text[..end], text.len(), ContentDigest::of(text.as_bytes()));
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../golden/reports");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, kept));
}

/// Leaves out of a page what is the same in every one: style, script, and their digests.
fn without_looks(page: &str) -> String {
    let mut page = page.to_owned();
    for (start, end) in [
        ("<style>", "</style>"),
        ("<script>", "</script>"),
        ("style-src &#x27;sha256-", "&#x27;"),
        ("script-src &#x27;sha256-", "&#x27;"),
    ] {
        let from = page.find(start).unwrap() + start.len();
        let to = from + page[from..].find(end).unwrap();
        page.replace_range(from..to, "…");
    }
    page
}

#[test]
fn ten_plans_are_told_as_their_golden_files_tell_them() {
    let cases = cases();
    assert_eq!(cases.len(), 10);
    for Case { name, plan, facts } in &cases {
        golden(
            &format!("{name}.txt"),
            &plan_text(plan, PlanFacts { elapsed: Duration::from_millis(440) }, PlanStyle::default()),
        );
        golden(&format!("{name}.json"), &plan_document(plan));
        golden(&format!("{name}.md"), &report_markdown(Some(plan), facts));
        golden(&format!("{name}.html"), &without_looks(&report_html(Some(plan), facts)));
    }
}

/// What a host finds in a report.
#[derive(Debug, Default)]
struct Found {
    /// The first node is the hidden line.
    marked: bool,
    /// Rows of each table, without its heading.
    tables: Vec<usize>,
    links: Vec<String>,
    /// Pieces of HTML, in the text and as blocks.
    html: Vec<String>,
    struck: usize,
    code_blocks: Vec<String>,
    /// What is shown as text, one piece a node.
    texts: Vec<String>,
}

fn read(markdown: &str) -> Found {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.math_dollars = true;
    let arena = Arena::new();
    let root = parse_document(&arena, markdown, &options);
    let mut found = Found::default();
    let first = root.first_child().map(|node| node.data().value.clone());
    found.marked =
        matches!(first, Some(NodeValue::HtmlBlock(html)) if html.literal.starts_with("<!-- pixform:v1 env="));
    for node in root.descendants() {
        note(node, &mut found);
    }
    found
}

fn note(node: Node<'_>, found: &mut Found) {
    match &node.data().value {
        NodeValue::Table(_) => found.tables.push(node.children().count() - 1),
        NodeValue::Link(link) => found.links.push(link.url.clone()),
        NodeValue::Image(_)
        | NodeValue::FootnoteReference(_)
        | NodeValue::FootnoteDefinition(_)
        | NodeValue::Math(_) => {
            panic!("nothing of ours is one: {:?}", node.data().value)
        }
        NodeValue::HtmlBlock(html) => found.html.push(html.literal.trim().to_owned()),
        NodeValue::HtmlInline(html) => found.html.push(html.clone()),
        NodeValue::Strikethrough => found.struck += 1,
        NodeValue::CodeBlock(block) => found.code_blocks.push(block.literal.clone()),
        NodeValue::Text(text) => found.texts.push(text.to_string()),
        _ => {}
    }
}

/// Checks that a report does what ours does and nothing else, whoever wrote the texts in it.
fn check_harmless(name: &str, markdown: &str, facts: &ReportFacts) -> Found {
    let found = read(markdown);
    assert!(found.marked, "{name}: {markdown}");
    assert!(markdown.chars().count() <= facts.limit, "{name}: {} characters", markdown.chars().count());
    assert!(markdown.starts_with(&report_marker(&facts.environment)), "{name}");
    for link in &found.links {
        let ours = link.starts_with("https://cdn.example.com/") || link.starts_with(facts.lines.as_ref().unwrap());
        assert!(ours, "{name}: {link}");
    }
    let (mut opened, mut closed) = (0, 0);
    for html in &found.html {
        let ours = [
            "<!-- pixform:v1 ",
            "<img width=\"200\" src=\"https://cdn.example.com/",
            "<details><summary>",
            "</details>",
            "<sub>",
            "</sub>",
        ];
        assert!(ours.iter().any(|start| html.starts_with(start)), "{name}: {html}");
        assert!(!html.contains("evil"), "{name}: {html}");
        opened += html.matches("<details>").count();
        closed += html.matches("</details>").count();
    }
    assert_eq!(opened, closed, "{name}");
    for text in &found.texts {
        let characters: Vec<char> = text.chars().collect();
        for pair in characters.windows(2) {
            let linked = matches!(pair[0], '@' | '#') && pair[1].is_alphanumeric();
            assert!(!linked, "{name}: {text}");
        }
        assert!(!text.contains("GH-7") && !text.contains("deadbeefcafe"), "{name}: {text}");
    }
    let obeyed = |c: char| {
        (c.is_control() && c != '\n')
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    assert!(!markdown.contains(obeyed), "{name}");
    found
}

fn with_limit(facts: &ReportFacts, limit: usize) -> ReportFacts {
    ReportFacts { limit, ..facts.clone() }
}

#[test]
fn a_host_reads_one_table_with_a_row_for_each_change() {
    for Case { name, plan, facts } in cases().iter().filter(|case| case.name != "thousand") {
        let markdown = report_markdown(Some(plan), facts);
        let found = check_harmless(name, &markdown, facts);
        let changes = plan.changes().count();
        assert_eq!(found.tables, if changes == 0 { vec![] } else { vec![changes] }, "{name}");
        assert!(!markdown.contains("Shortened"), "{name}");
    }
}

#[test]
fn no_report_is_longer_than_its_host_takes_and_a_shorter_one_says_so() {
    for Case { name, plan, facts } in &cases() {
        let whole = report_markdown(Some(plan), &with_limit(facts, usize::MAX));
        for limit in [1_000, 2_000, 10_000, 65_536] {
            let facts = with_limit(facts, limit);
            let markdown = report_markdown(Some(plan), &facts);
            let found = check_harmless(&format!("{name} in {limit}"), &markdown, &facts);
            assert!(found.tables.len() <= 1, "{name} in {limit}");
            assert_eq!(markdown.contains("_Shortened to fit: "), markdown != whole, "{name} in {limit}: {markdown}");
        }
    }
}

#[test]
fn a_thousand_changes_keep_their_counts_and_their_money() {
    let cases = cases();
    let Case { plan, facts, .. } = cases.iter().find(|case| case.name == "thousand").unwrap();
    let markdown = report_markdown(Some(plan), facts);
    let found = check_harmless("thousand", &markdown, facts);
    assert!(found.tables[0] >= 200, "{:?}", found.tables);
    let sentence = "**800 new pictures, 100 to repair, 100 to delete, 7 unchanged. Merging costs $12.00.**";
    assert!(markdown.lines().nth(2) == Some(sentence), "{}", &markdown[..400]);
    let left: String = markdown.lines().filter(|line| line.starts_with("… and ")).collect();
    assert!(left.contains(&format!("{} more assets: ", 1_000 - found.tables[0])), "{left}");
}

#[test]
fn the_words_that_changed_are_struck_and_strong_whatever_they_are() {
    for (old, new) in [("hair", "hair, glasses"), ("a (b) c", "a [b] c"), ("x", "@team"), ("7.5", "7.")] {
        let Case { mut plan, facts, .. } = cases().swap_remove(1);
        let words = |text: &str| Some(format!("an old man with {text} on a bench"));
        plan.collections[0].changes[0].reasons[0].cause =
            pixform::plan::Cause::VarChanged { name: "subject".to_owned(), old: words(old), new: words(new) };
        let found = check_harmless(new, &report_markdown(Some(&plan), &facts), &facts);
        let stray = |text: &String| text.contains("**") || text.contains("~~");
        assert!(!found.texts.iter().any(stray), "{new}: {:?}", found.texts);
    }
}

#[test]
fn a_mistake_comes_first_with_its_line_and_the_mended_line() {
    let Case { facts, .. } = cases().swap_remove(0);
    let spot = |text: &str, mended: Option<&str>| {
        Some(Spot {
            file: "manifests/x.yaml".to_owned(),
            line: 8,
            text: text.to_owned(),
            mended: mended.map(str::to_owned),
        })
    };
    let mistakes = vec![
        MistakeFacts {
            message: "`defaults` has no field `smapler`".to_owned(),
            help: Some("did you mean `sampler`?".to_owned()),
            spot: spot("  smapler: DDIM", Some("  sampler: DDIM")),
        },
        MistakeFacts { message: HOSTILE.to_owned(), help: Some(HOSTILE.to_owned()), spot: spot(HOSTILE, None) },
    ];
    let facts = ReportFacts { mistakes, ..facts };
    let markdown = report_markdown(None, &facts);
    golden("mistake.md", &markdown);
    golden("mistake.html", &without_looks(&report_html(None, &facts)));
    let found = check_harmless("mistake", &markdown, &facts);
    assert_eq!(found.code_blocks[0], "-  smapler: DDIM\n+  sampler: DDIM\n");
    assert_eq!(found.code_blocks.len(), 2);
}

#[test]
fn no_environment_forges_the_hidden_line() {
    for environment in ["a --> b", "a--b", "x\n\ny", "-->", "é"] {
        let Case { plan, facts, .. } = cases().swap_remove(0);
        let facts = ReportFacts { environment: environment.to_owned(), ..facts };
        let plan = Plan { environment: environment.to_owned(), ..plan };
        let markdown = report_markdown(Some(&plan), &facts);
        let first = markdown.lines().next().unwrap();
        assert!(first.ends_with(" -->") && first.matches("--").count() == 2, "{first}");
        check_harmless(environment, &markdown, &facts);
    }
    assert_eq!(report_marker("production"), "<!-- pixform:v1 env=production ");
}
