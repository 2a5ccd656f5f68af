//! What can only be checked where the parts of a document meet: names, paths, columns, globs.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::asset::{CollectionName, Format, Heads, OUTPUTS, Recipe, RowShape, TableName, TableSpec, column_type};
use crate::glob::{GlobIndex, KeyGlob};
use crate::yaml::{Mistake, Mistakes, Span};

use super::axis::Axis;
use super::block::{AssetSlot, Block};
use super::hints::undefined_help;
use super::image::Image;
use super::layer::{Layer, LayerId, Setting};
use super::matrix::Cells;
use super::placed::Placed;
use super::pool::Pool;
use super::publish::{PublishLine, RenditionLine};
use super::row_plan::RowPlan;
use super::{MOVED_CHAIN_MAX, Manifest, Moved, Rules};

/// A name is a label or a var or a rendition, never two of them.
pub fn shared_names(
    axes: &[Axis],
    images: &[Image],
    renditions: &[RenditionLine],
    pool: &Pool,
    mistakes: &mut Mistakes,
) {
    let labels: HashSet<&str> =
        axes.iter().chain(images.iter().flat_map(|image| &image.axes)).map(|axis| &*axis.name).collect();
    for label in &labels {
        if let Some(var) = pool.known_var(label) {
            let template = pool.layers.iter().flat_map(|layer| &layer.vars).find(|(number, _)| *number == var);
            let span =
                template.and_then(|(_, template)| *template).map(|template| pool.templates[template as usize].span);
            let message = format!("`{label}` is a label and a var");
            mistakes.add(span.unwrap_or_default(), message, "rename one of the two");
        }
    }
    for rendition in renditions {
        let name = rendition.name.value.as_str();
        if labels.contains(name) || pool.known_var(name).is_some() {
            let message = format!("`{name}` is a rendition, and a label or var too");
            mistakes.add(rendition.name.span, message, "rename one of the two");
        }
    }
}

/// Checks the paths as far as that goes without an asset.
pub fn paths(renditions: &[RenditionLine], mistakes: &mut Mistakes) {
    for line in renditions {
        let source = line.path.value.source();
        let folder = source.split_once('/').map(|(folder, _)| folder);
        match folder {
            Some(folder) if folder.is_empty() || folder.contains('{') => mistakes.add(
                line.path.span,
                "the path must begin with a folder that is plain text",
                "write it as in `pictures/{{ value }}-{{ digest }}.{{ ext }}`",
            ),
            Some(folder) if folder.eq_ignore_ascii_case("originals") => mistakes.add(
                line.path.span,
                "the folder `originals` is kept for originals",
                "choose another folder for published files",
            ),
            Some(_) => {}
            None => mistakes.add(
                line.path.span,
                "the path has no folder",
                "begin it with a folder, as in `pictures/{{ value }}-{{ digest }}.{{ ext }}`",
            ),
        }
    }
}

/// Joins table and columns, and sorts the names that the columns use.
pub fn row(
    publish: PublishLine,
    key: &[Placed<String>],
    renditions: &[RenditionLine],
    rules: &Rules,
    mistakes: &mut Mistakes,
) -> Option<RowPlan> {
    let PublishLine { table, columns } = publish;
    if let Some(allowed) = &rules.tables
        && !allowed.contains(&table.value)
    {
        let names: Vec<String> = allowed.iter().map(|name: &TableName| format!("`{name}`")).collect();
        let message = format!("the environment `{}` does not allow the table `{}`", rules.environment, table.value);
        mistakes.add(table.span, message, format!("it allows {}", names.join(", ")));
    }
    let mut spec =
        TableSpec { name: table.value, key: key.iter().map(|name| name.value.clone()).collect(), columns: Vec::new() };
    let mut templates = Vec::new();
    let mut inputs: BTreeMap<String, Span> = BTreeMap::new();
    let mut places = BTreeMap::new();
    for (name, template) in columns {
        if spec.key.contains(&name.value) {
            let message = format!("`{}` is a key column already", name.value);
            mistakes.add(name.span, message, "remove it: key columns are written by themselves");
            continue;
        }
        for used in template.value.names() {
            if **used == *crate::asset::URL_BASE {
                let message = format!("`{used}` is not defined here");
                mistakes.add(template.span, message, "write `{{ url }}`: it begins with that");
            }
            match output(used, renditions) {
                NamedOutput::Url => inputs.entry(crate::asset::URL_BASE.to_owned()).or_insert(template.span),
                NamedOutput::Other => continue,
                NamedOutput::None => inputs.entry(used.to_string()).or_insert(template.span),
            };
        }
        places.insert(name.value.clone(), template.span);
        spec.columns.push((name.value, column_type(template.value.only_name())));
        templates.push(template.value);
    }
    let shape = Arc::new(RowShape::new(spec, templates));
    Some(RowPlan { shape, inputs: inputs.into_iter().collect(), places })
}

enum NamedOutput {
    Url,
    Other,
    None,
}

/// Tells what a column's name refers to: `url`, `thumb.url`, another output, or none.
fn output(name: &str, renditions: &[RenditionLine]) -> NamedOutput {
    let field = match name.split_once('.') {
        Some((rendition, field)) if renditions.iter().any(|line| line.name.value.as_str() == rendition) => field,
        Some(_) => return NamedOutput::None,
        None => name,
    };
    match field {
        "url" => NamedOutput::Url,
        field if OUTPUTS.contains(&field) => NamedOutput::Other,
        _ => NamedOutput::None,
    }
}

fn keys<'b>(blocks: &'b [Block], slots: &'b [AssetSlot]) -> impl Iterator<Item = String> + 'b {
    let mut values = Vec::new();
    slots.iter().map(move |slot| {
        let block = &blocks[slot.block as usize];
        block.values(slot.combination, &mut values);
        block.key(&values).to_string()
    })
}

/// Finds the key that each renamed key had first; a `to` that leads to nothing declared is a mistake.
pub fn moved_bases(
    collection: &CollectionName,
    moved: &[(Span, Moved)],
    (blocks, slots): (&[Block], &[AssetSlot]),
    mistakes: &mut Mistakes,
) -> BTreeMap<String, String> {
    let mut bases = BTreeMap::new();
    if moved.is_empty() {
        return bases;
    }
    let index = GlobIndex::new(moved.iter().map(|(_, line)| &line.to));
    let mut used = vec![false; moved.len()];
    let declared: HashSet<String> = keys(blocks, slots).collect();
    let mut matching = Vec::new();
    for key in keys(blocks, slots) {
        let mut reached = key.clone();
        for _ in 0..MOVED_CHAIN_MAX {
            index.find(&reached, &mut matching);
            let mut first = None;
            for number in matching.iter().map(|number| *number as usize) {
                let (_, line) = &moved[number];
                let Some(from) = line.from_of(&reached) else { continue };
                used[number] = true;
                first.get_or_insert((from, line));
            }
            let Some((from, line)) = first else { break };
            bases.insert(key.clone(), from.clone());
            // A key that is declared has a picture of its own, and what another collection did is not known here.
            if line.from_collection != *collection || declared.contains(&from) {
                break;
            }
            reached = from;
        }
    }
    for ((span, line), used) in moved.iter().zip(used) {
        if !used {
            let message = format!("`to: {}` matches no declared asset", line.to);
            let help = match keys(blocks, slots).next() {
                Some(key) => format!("name a key that this manifest declares, as in `{key}`"),
                None => "name a key that this manifest declares".to_owned(),
            };
            mistakes.add(*span, message, help);
        }
    }
    bases
}

/// A `removed` that matches a declared asset is a mistake.
pub fn removed(removed: &[Placed<KeyGlob>], blocks: &[Block], slots: &[AssetSlot], mistakes: &mut Mistakes) {
    if removed.is_empty() {
        return;
    }
    let index = GlobIndex::new(removed.iter().map(|glob| &glob.value));
    // For each glob the first key that it matches, and how many there are beside it.
    let mut declared: Vec<Option<(String, u64)>> = vec![None; removed.len()];
    let mut matching = Vec::new();
    for key in keys(blocks, slots) {
        index.find(&key, &mut matching);
        for number in &matching {
            match &mut declared[*number as usize] {
                Some((_, more)) => *more += 1,
                first => *first = Some((key.clone(), 0)),
            }
        }
    }
    for (glob, declared) in removed.iter().zip(declared) {
        let Some((first, more)) = declared else { continue };
        let more = match more {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        let message = format!("`{}` is expected to be removed, and `{first}`{more} is still declared", glob.value);
        mistakes.add(glob.span, message, "take the asset out of `images`, or this line out of `removed`");
    }
}

/// A cell that matches no asset is a mistake.
pub fn cells(
    lines: &[(Placed<KeyGlob>, LayerId)],
    cells: &Cells,
    (blocks, slots): (&[Block], &[AssetSlot]),
    mistakes: &mut Mistakes,
) {
    if cells.is_empty() || slots.is_empty() {
        return;
    }
    let mut idle = vec![true; lines.len()];
    let (mut idle_count, mut matching) = (lines.len(), Vec::new());
    for key in keys(blocks, slots) {
        cells.find(&key, &mut matching);
        for number in &matching {
            idle_count -= usize::from(std::mem::replace(&mut idle[*number as usize], false));
        }
        if idle_count == 0 {
            return;
        }
    }
    let declared: Vec<String> = keys(blocks, slots).take(1_000).collect();
    for ((glob, _), _) in lines.iter().zip(idle).filter(|(_, idle)| *idle) {
        // The nearest of a thousand keys takes its time, and nobody would read it.
        if mistakes.is_full() {
            return;
        }
        let help = match crate::yaml::nearest(glob.value.as_str(), declared.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("keys here look like `{}`", declared.first().map_or("", String::as_str)),
        };
        mistakes.add(glob.span, format!("the cell `{}` matches no asset", glob.value), help);
    }
}

impl Manifest {
    /// Checks what needs all keys: each must be unique, in any spelling of capitals.
    pub(super) fn check_against_keys(&self, heads: &Heads, mistakes: &mut Mistakes) {
        for (second, first) in heads.twins() {
            let [second, first] = [*second, *first].map(|index| index as usize);
            let (one, other) = (&heads.all()[first].key, &heads.all()[second].key);
            if one != other {
                self.told_apart_by_case_only(first, second, mistakes);
                continue;
            }
            let span = self.blocks[self.slots[second].block as usize].span;
            let span = Span { start: span.start, end: span.start + 1 };
            let elsewhere = self.place(self.blocks[self.slots[first].block as usize].span);
            let message = format!("the key `{one}` is declared twice: here, and on line {}", elsewhere.line);
            mistakes.add(span, message, "change a label of one of them, or add a label to `key` that tells them apart");
        }
    }

    /// Points at the labels in which two keys differ, at each of them: what is to be changed stands in two places.
    fn told_apart_by_case_only(&self, first: usize, second: usize, mistakes: &mut Mistakes) {
        let labels = |index: usize| {
            let slot = self.slots[index];
            let block = &self.blocks[slot.block as usize];
            let mut values = Vec::new();
            block.values(slot.combination, &mut values);
            block.key.iter().map(|axis| values[usize::from(*axis)]).collect::<Vec<_>>()
        };
        let pairs = labels(first).into_iter().zip(labels(second)).filter(|(one, other)| one.text != other.text);
        for (one, other) in pairs.take_while(|_| !mistakes.is_full()).collect::<Vec<_>>() {
            for (here, there) in [(one, other), (other, one)] {
                let line = self.place(there.span).line;
                let message =
                    format!("the label `{}` differs from `{}` (line {line}) only in case", here.text, there.text);
                mistakes.add(
                    here.span,
                    message,
                    "write both alike, or rename one of them: file names may not tell them apart",
                );
            }
        }
    }

    /// Finds renditions that cannot show the transparency that is asked for.
    pub(super) fn lost_transparency(&self) -> Vec<Mistake> {
        let is_asked = |placed: &Placed<Option<Setting>>| matches!(&placed.value, Some(Setting::Own(own)) if own.name.as_str() == Recipe::TRANSPARENT && own.is_on());
        let mut set = self.pool.layers.iter().flat_map(Layer::settings);
        let Some(asked) = set.find(|placed| is_asked(placed)) else { return Vec::new() };
        let opaque = self.renditions.iter().filter(|line| line.encoding.format == Format::Jpeg);
        opaque
            .map(|line| Mistake {
                span: asked.span,
                message: format!(
                    "transparency is asked for, and the rendition `{}` is a JPEG, which has none: it gets a white ground",
                    line.name.value
                ),
                help: "write `format: png`, `webp` or `avif` there, or leave `enable_transparent_background` out".to_owned(),
            })
            .collect()
    }

    /// Finds vars that nothing uses.
    pub(super) fn unused_vars(&self) -> Vec<Mistake> {
        let mut used: HashSet<&str> = HashSet::new();
        let mut pending: Vec<u32> = Vec::new();
        for layer in &self.pool.layers {
            for placed in layer.settings() {
                if let Some(Setting::Template(template)) = &placed.value {
                    pending.push(*template);
                }
            }
        }
        used.extend(self.renditions.iter().flat_map(|line| line.path.value.names()).map(|name| &**name));
        used.extend(self.row.iter().flat_map(|row| &row.inputs).map(|(name, _)| name.as_str()));
        let mut by_var: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for layer in &self.pool.layers {
            for (var, template) in &layer.vars {
                by_var.entry(&self.pool.vars[usize::from(*var)]).or_default().extend(*template);
            }
        }
        let mut queue: Vec<&str> = used.iter().copied().collect();
        loop {
            while let Some(template) = pending.pop() {
                let names = self.pool.templates[template as usize].value.names();
                queue.extend(names.iter().map(|name| &**name).filter(|name| used.insert(name)));
            }
            let Some(name) = queue.pop() else { break };
            pending.extend(by_var.get(name).into_iter().flatten());
        }
        let unused = by_var.iter().filter(|(name, templates)| !used.contains(*name) && !templates.is_empty());
        let known = used.iter().copied().filter(|name| !Recipe::COLUMN_FIELDS.contains(name)).collect::<Vec<_>>();
        unused
            .map(|(name, templates)| {
                let span = templates.first().map(|template| self.pool.templates[*template as usize].span);
                Mistake {
                    span: span.unwrap_or_default(),
                    message: format!("the var `{name}` is not used"),
                    help: match crate::yaml::nearest(name, known.iter().copied()) {
                        Some(_) => undefined_help(name, known.iter().copied()),
                        None => "remove it, or use it in a prompt".to_owned(),
                    },
                }
            })
            .collect()
    }
}
