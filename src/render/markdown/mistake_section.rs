//! What cannot be read, or went wrong: first of all, with the line and the mended line.

use super::super::plan_document::public_name;
use super::super::quantities;
use super::super::report_facts::{MistakeFacts, ReportFacts, Spot};
use super::{ReportShape, markdown_escape, report_sections};

/// Returns all mistakes, or as many as there is room for.
pub(super) fn mistakes(facts: &ReportFacts, shape: ReportShape) -> String {
    let all = &facts.mistakes;
    if all.is_empty() {
        return String::new();
    }
    // The first mistake is told whatever the room, for without it the report says nothing.
    let shown = all.len().min(shape.edits.max(1));
    let mut text: Vec<String> = all[..shown].iter().map(|mistake| one(mistake, facts, shape)).collect();
    if shown < all.len() {
        text.push(format!("… and {}.\n", quantities::count((all.len() - shown) as u64, "more mistake")));
    }
    text.join("\n")
}

fn one(mistake: &MistakeFacts, facts: &ReportFacts, shape: ReportShape) -> String {
    let MistakeFacts { message, help, spot } = mistake;
    let message = markdown_escape::marked("**", &markdown_escape::text(message, shape.characters));
    let help = help.as_ref().map(|help| markdown_escape::text(help, shape.characters));
    let Some(spot) = spot else {
        let help = help.map(|help| format!("\n\n{help}")).unwrap_or_default();
        return format!("Error: {message}{help}\n");
    };
    let Spot { file, line, text, mended } = spot;
    let place = report_sections::place(file, *line, facts);
    let help = help.map(|help| format!("\n{help}\n")).unwrap_or_default();
    let lines = match mended {
        Some(mended) => markdown_escape::block("diff", &[format!("-{text}"), format!("+{mended}")], shape.characters),
        None => markdown_escape::block("yaml", std::slice::from_ref(text), shape.characters),
    };
    let file = markdown_escape::code(public_name(file), 100);
    format!("Error in {file}, {place}: {message}\n\n{lines}{help}")
}
