//! From text to a tree: bounded, with borrowed text, anchors resolved, duplicate keys found.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, StructureStyle};

use super::{ManifestError, Mistakes, Scalar, ScalarNotation, Span, yaml_traps};

/// What a file may hold at most; beyond it the file is refused before it costs memory or time.
#[derive(Debug, Clone, Copy)]
pub struct YamlLimits {
    /// Size of the file, in bytes.
    pub bytes: usize,
    /// Values, keys, lists and maps together, aliases counted each time they are used.
    pub nodes: usize,
    /// Lists and maps within one another.
    pub depth: usize,
}

impl YamlLimits {
    /// For manifests: room for 100,000 explicit entries and more, far below what an alias bomb asks for.
    pub const MANIFEST: Self = Self { bytes: 32 * 1024 * 1024, nodes: 8_000_000, depth: 32 };
    /// For `pixform.yaml`.
    pub const CONFIG: Self = Self { bytes: 1024 * 1024, nodes: 50_000, depth: 32 };
}

/// How many values aliases may repeat, all together.
const ALIASED_NODES_MAX: usize = 100_000;

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node<'s> {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub value: Value<'s>,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'s> {
    /// A single value.
    Scalar(Scalar<'s>),
    /// A list.
    List(Vec<Node<'s>>),
    /// A map, in the order of the source; keys are unique.
    Map(Vec<MapEntry<'s>>),
}

/// A key or another text with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Text<'s> {
    /// Where it stands.
    pub span: Span,
    /// The text.
    pub text: Cow<'s, str>,
}

/// One key of a map with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct MapEntry<'s> {
    /// The key.
    pub key: Text<'s>,
    /// The value.
    pub value: Node<'s>,
}

impl Node<'_> {
    /// Tells in our words what the node is: `a list`, `a map`, `a text`.
    pub fn describe(&self) -> &'static str {
        match &self.value {
            Value::Scalar(scalar) if scalar.is_null() => "empty",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    fn count(&self) -> usize {
        match &self.value {
            Value::Scalar(_) => 1,
            Value::List(items) => 1 + items.iter().map(Node::count).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|entry| 1 + entry.value.count()).sum::<usize>(),
        }
    }
}

/// Parses one YAML document.
///
/// # Errors
/// With one mistake where the text is no YAML or breaks a limit, with all of them where keys repeat.
pub fn parse<'s>(file: &Arc<str>, source: &'s Arc<str>, limits: YamlLimits) -> Result<Node<'s>, ManifestError> {
    let mut mistakes = Mistakes::default();
    let root = parse_with(file, source, limits, &mut mistakes)?;
    mistakes.or(root, file, source)
}

/// Parses one YAML document and goes on where keys repeat or a text lacks its quotes: what is wrong with the rest of the
/// file is told together with that.
///
/// # Errors
/// With one mistake where the text is no YAML or breaks a limit.
pub fn parse_with<'s>(
    file: &Arc<str>,
    source: &'s Arc<str>,
    limits: YamlLimits,
    mistakes: &mut Mistakes,
) -> Result<Node<'s>, ManifestError> {
    let refused = |span: Span, message: &str, help: &str| ManifestError::one(file, source, span, message, help);
    if source.len() > limits.bytes {
        let message = format!("the file has {} bytes, more than the {} that are read", source.len(), limits.bytes);
        return Err(refused(Span::default(), &message, "split it into several collections"));
    }
    if let Some((span, message, help)) = yaml_traps::before_parsing(source) {
        return Err(refused(span, message, help));
    }
    let mut options = Options::default();
    options.emit_comments = false;
    let mut builder = Builder { source, limits, ..Builder::default() };
    for event in Parser::new_from_str_with_options(source, options) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker().byte_offset().unwrap_or(source.len()).min(source.len()) as u32;
            let trap = yaml_traps::explain(source, at, &error.info());
            refused(trap.span, &trap.message, &trap.help)
        })?;
        let place = Span {
            start: span.start.byte_offset().unwrap_or_default() as u32,
            end: span.end.byte_offset().unwrap_or_default() as u32,
        };
        builder.event(event, place).map_err(|YamlRefusal { span, message, help }| refused(span, &message, help))?;
    }
    let Builder { root, mistakes: found, .. } = builder;
    mistakes.extend(found);
    match root {
        Some(root) => Ok(root),
        None => Err(refused(Span::default(), "the file is empty", "`pixform init` writes a first one to start from")),
    }
}

/// A limit was broken, or something stands here that is not read.
struct YamlRefusal {
    span: Span,
    message: String,
    help: &'static str,
}

/// A list or map that is still open.
enum Open<'s> {
    List(Vec<Node<'s>>),
    Map { entries: Vec<MapEntry<'s>>, key: Option<Text<'s>>, seen: HashMap<Cow<'s, str>, ()>, merged: Vec<Node<'s>> },
}

struct OpenNode<'s> {
    open: Open<'s>,
    start: u32,
    anchor: usize,
}

struct Builder<'s> {
    source: &'s str,
    limits: YamlLimits,
    stack: Vec<OpenNode<'s>>,
    anchors: HashMap<usize, Node<'s>>,
    root: Option<Node<'s>>,
    documents: usize,
    nodes: usize,
    aliased: usize,
    mistakes: Mistakes,
}

impl Default for Builder<'_> {
    fn default() -> Self {
        Self {
            source: "",
            limits: YamlLimits::CONFIG,
            stack: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            documents: 0,
            nodes: 0,
            aliased: 0,
            mistakes: Mistakes::default(),
        }
    }
}

/// A map with more keys than this looks for duplicates in a table; below it comparing is faster.
const SCANNED_KEYS_MAX: usize = 16;

impl<'s> Builder<'s> {
    fn event(&mut self, event: Event<'s>, span: Span) -> Result<(), YamlRefusal> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(YamlRefusal {
                        span,
                        message: "a second document begins here".to_owned(),
                        help: "one file holds one document: remove the line `---`, or put the rest into a file of its own",
                    });
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(tag) = tag {
                    return Err(YamlRefusal {
                        span,
                        message: format!("the tag `{}` is not read here", tag.original()),
                        help: "remove the tag; quote the value where it is meant as text",
                    });
                }
                let style = match style {
                    ScalarStyle::Plain => ScalarNotation::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => ScalarNotation::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => ScalarNotation::Block,
                };
                self.value(Node { span, value: Value::Scalar(Scalar { text, style }) }, anchor)?;
            }
            Event::SequenceStart(_, anchor, _) => self.open(Open::List(Vec::new()), span, anchor)?,
            Event::MappingStart(style, anchor, _) => {
                self.begins_with_braces(style, span);
                let open = Open::Map { entries: Vec::new(), key: None, seen: HashMap::new(), merged: Vec::new() };
                self.open(open, span, anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span)?,
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id) else {
                    return Err(YamlRefusal {
                        span,
                        message: "this alias stands inside the value that it names".to_owned(),
                        help: "write the value out, or use `vars`",
                    });
                };
                let count = node.count();
                self.aliased += count;
                if self.aliased > ALIASED_NODES_MAX {
                    return Err(YamlRefusal {
                        span,
                        message: format!("aliases repeat more than {ALIASED_NODES_MAX} values"),
                        help: "use `defaults`, `axes` and `vars` instead of aliases",
                    });
                }
                let copy = Node { span, value: node.value.clone() };
                self.nodes += count;
                self.value(copy, 0)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A text that begins with `{{` and has no quotes is a map of a map to YAML.
    fn begins_with_braces(&mut self, style: StructureStyle, span: Span) {
        let in_key = matches!(self.stack.last(), Some(OpenNode { open: Open::Map { key: None, .. }, start, .. })
            if *start + 1 >= span.start);
        if style == StructureStyle::Flow && in_key {
            let start = span.start.saturating_sub(1);
            self.mistakes.add(
                Span { start, end: start + 2 },
                "a text that begins with `{{` needs quotes: to YAML it is a map",
                "write \"{{ name }} …\" in double quotes, or put the text below `>-`",
            );
        }
    }

    fn open(&mut self, open: Open<'s>, span: Span, anchor: usize) -> Result<(), YamlRefusal> {
        if self.stack.len() >= self.limits.depth {
            return Err(YamlRefusal {
                span,
                message: format!("more than {} lists and maps within one another", self.limits.depth),
                help: "nothing that is read here is nested so deep: check the brackets and the indentation",
            });
        }
        self.stack.push(OpenNode { open, start: span.start, anchor });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), YamlRefusal> {
        let Some(OpenNode { open, start, anchor }) = self.stack.pop() else { return Ok(()) };
        let value = match open {
            Open::List(items) => Value::List(items),
            Open::Map { entries, merged, .. } => Value::Map(self.merge(entries, merged)),
        };
        self.value(Node { span: Span { start, end: span.end.max(start) }, value }, anchor)
    }

    /// Adds what `<<` brings in, for keys that the map does not have itself.
    fn merge(&mut self, mut entries: Vec<MapEntry<'s>>, merged: Vec<Node<'s>>) -> Vec<MapEntry<'s>> {
        for node in merged {
            let sources = match node.value {
                Value::List(items) => items,
                value => vec![Node { span: node.span, value }],
            };
            for source in sources {
                let Value::Map(more) = source.value else {
                    self.mistakes.add(
                        source.span,
                        "`<<` takes a map, or a list of maps",
                        "name an anchor of a map: `<<: *name`",
                    );
                    continue;
                };
                let mut known: HashSet<Cow<'_, str>> = entries.iter().map(|entry| entry.key.text.clone()).collect();
                entries.extend(more.into_iter().filter(|entry| known.insert(entry.key.text.clone())));
            }
        }
        entries
    }

    fn value(&mut self, node: Node<'s>, anchor: usize) -> Result<(), YamlRefusal> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(YamlRefusal {
                span: node.span,
                message: format!("more than {} values", self.limits.nodes),
                help: "split the file into several collections",
            });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut().map(|frame| &mut frame.open) {
            None => self.root = self.root.take().or(Some(node)),
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map { entries, key, seen, merged }) => match key.take() {
                None => *key = Some(key_of(node, &mut self.mistakes)),
                Some(name) if name.text == "<<" => merged.push(node),
                Some(name) => {
                    let mut node = node;
                    // Where nothing stands behind a key, it tells by its place whether there was a colon.
                    if node.span.start == node.span.end {
                        let behind = self.source.get(name.span.end as usize..).unwrap_or_default();
                        let colon = u32::from(behind.trim_start().starts_with(':'));
                        let at = node.span.start.max(name.span.end + 1) * colon + name.span.end * (1 - colon);
                        node.span = Span { start: at, end: at };
                    }
                    let twice = if entries.len() < SCANNED_KEYS_MAX {
                        entries.iter().any(|entry| entry.key.text == name.text)
                    } else {
                        if seen.is_empty() {
                            seen.extend(entries.iter().map(|entry| (entry.key.text.clone(), ())));
                        }
                        seen.insert(name.text.clone(), ()).is_some()
                    };
                    if twice {
                        self.mistakes.add(
                            name.span,
                            format!("the key `{}` stands here twice", name.text),
                            "remove one of the two, or rename it",
                        );
                    } else {
                        entries.push(MapEntry { key: name, value: node });
                    }
                }
            },
        }
        Ok(())
    }
}

fn key_of<'s>(node: Node<'s>, mistakes: &mut Mistakes) -> Text<'s> {
    match node.value {
        Value::Scalar(scalar) => Text { span: node.span, text: scalar.text },
        Value::List(_) | Value::Map(_) => {
            if mistakes.is_empty() {
                mistakes.add(node.span, "a key has to be a single word", "quote the text if it is meant as one");
            }
            Text { span: node.span, text: Cow::Borrowed("") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str) -> Result<String, Vec<String>> {
        let source: Arc<str> = source.into();
        match parse(&"m.yaml".into(), &source, YamlLimits::MANIFEST) {
            Ok(node) => Ok(show(&node)),
            Err(error) => Err(error
                .located()
                .map(|(line, column, mistake)| format!("{line}:{column} {}", mistake.message))
                .collect()),
        }
    }

    fn show(node: &Node<'_>) -> String {
        match &node.value {
            Value::Scalar(scalar) => format!("{:?}", scalar.text),
            Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(",")),
            Value::Map(entries) => {
                let shown = entries.iter().map(|entry| format!("{}={}", entry.key.text, show(&entry.value)));
                format!("{{{}}}", shown.collect::<Vec<_>>().join(","))
            }
        }
    }

    #[test]
    fn scalars_keep_their_spelling() {
        assert_eq!(
            check("[18-19, 20s, 70+, no, 012, 1e3, 12:30, ~, 0x1f]"),
            Ok(r#"["18-19","20s","70+","no","012","1e3","12:30","~","0x1f"]"#.to_owned())
        );
    }

    #[test]
    fn aliases_and_merge_keys_are_resolved() {
        assert_eq!(
            check("a: &x { k: 1, l: 2 }\nb: *x\nc: { <<: *x, k: 3 }\n"),
            Ok(r#"{a={k="1",l="2"},b={k="1",l="2"},c={k="3",l="2"}}"#.to_owned())
        );
    }

    #[test]
    fn every_duplicate_key_is_told() {
        assert_eq!(
            check("a: 1\nb: 2\na: 3\nb: 4\n"),
            Err(vec!["3:1 the key `a` stands here twice".into(), "4:1 the key `b` stands here twice".into()])
        );
        let many: String = (0..40).map(|n| format!("k{n}: 1\n")).collect();
        assert_eq!(check(&format!("{many}k39: 2\n")), Err(vec!["41:1 the key `k39` stands here twice".into()]));
    }

    #[test]
    fn an_alias_bomb_is_refused_at_once() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let before = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{before}]\n");
        }
        let begun = std::time::Instant::now();
        assert_eq!(check(&bomb).unwrap_err().len(), 1);
        assert!(begun.elapsed().as_millis() < 1_000);
    }

    #[test]
    fn deep_nesting_and_second_documents_are_refused() {
        assert_eq!(
            check(&("[".repeat(100) + &"]".repeat(100))),
            Err(vec!["1:33 more than 32 lists and maps within one another".into()])
        );
        assert_eq!(check("a: 1\n---\nb: 2\n"), Err(vec!["2:1 a second document begins here".into()]));
    }
}
