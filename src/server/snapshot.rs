//! What is published, as of one moment: the rows of every collection, ready to be sent.
//!
//! Reading it is left to the state, keeping it current to [`fresh`](super::fresh).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::asset::CollectionName;
use crate::digest::SeenDigest;
use crate::record::RecordHead;
use crate::state::{ShownShape, ShownVisitor, State, StateError};

use super::answer::Answer;

/// Answers that are kept ready at most, and their bytes.
const ANSWERS_MAX: usize = 512;
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Stands for a label that an asset does not have.
pub const NO_VALUE: u32 = u32::MAX;

/// Everything that is published.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The collections, by name.
    pub collections: BTreeMap<String, Collection>,
    answers: RwLock<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    by_target: HashMap<Box<str>, Arc<Answer>>,
    bytes: usize,
}

/// One collection.
#[derive(Debug, PartialEq)]
pub struct Collection {
    /// Its name.
    pub name: CollectionName,
    /// Its key axes.
    pub key: Vec<String>,
    /// The columns of its rows, each with the kinds of JSON values that were seen in it.
    pub columns: Vec<(String, Kinds)>,
    /// Its labels, those of the key first, each with its values; both in manifest order.
    pub labels: Vec<(String, Vec<String>)>,
    /// The assets, by key.
    entries: Vec<Entry>,
    /// The numbers of the assets in manifest order.
    order: Vec<u32>,
    /// The rows, one after another.
    rows: Vec<u8>,
    /// How many rows somebody edited.
    pub edited: u64,
    /// How many rows are gone.
    pub gone: u64,
}

/// The kinds of JSON values that a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds {
    /// Some are null.
    pub null: bool,
    /// Some are whole numbers.
    pub integer: bool,
    /// Some are other numbers.
    pub number: bool,
    /// Some are texts.
    pub text: bool,
    /// Some are anything else.
    pub other: bool,
}

/// One published asset.
#[derive(Debug, PartialEq)]
struct Entry {
    key: Box<str>,
    extra_labels: Box<str>,
    /// For each label the number of its value.
    values: Vec<u32>,
    /// Where its row begins and ends; nothing where there is none.
    row: Option<(usize, usize)>,
    seen: Option<SeenDigest>,
}

/// A published asset, as others see it.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'c> {
    /// Its key.
    pub key: &'c str,
    /// For each label the number of its value.
    pub values: &'c [u32],
    /// Its row as JSON, where it has one.
    pub row: Option<&'c [u8]>,
}

impl Snapshot {
    /// Reads everything that is published.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn read(state: &dyn State, url_base: &str) -> Result<Self, StateError> {
        let mut collections = BTreeMap::new();
        for known in state.known().await?.collections {
            let mut reading = Reading::new(known.name.clone(), url_base);
            state.shown(&known.name, &mut reading).await?;
            if let Some(collection) = reading.finish() {
                collections.insert(known.name.to_string(), collection);
            }
        }
        Ok(Self { collections, answers: RwLock::default() })
    }

    /// Returns the answer that was made for a target before.
    pub fn answer(&self, target: &str) -> Option<Arc<Answer>> {
        self.answers.read().unwrap_or_else(PoisonError::into_inner).by_target.get(target).cloned()
    }

    /// Keeps an answer for the next who asks for the same; nothing grows without a bound.
    pub fn keep(&self, target: &str, answer: &Arc<Answer>) {
        let bytes = answer.bytes() + target.len();
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        if answers.by_target.len() >= ANSWERS_MAX || answers.bytes + bytes > ANSWER_BYTES_MAX {
            *answers = Answers::default();
        }
        if bytes <= ANSWER_BYTES_MAX && answers.by_target.insert(target.into(), Arc::clone(answer)).is_none() {
            answers.bytes += bytes;
        }
    }
}

impl Collection {
    /// Returns the published assets, in manifest order.
    pub fn shown(&self) -> impl Iterator<Item = Shown<'_>> {
        self.order.iter().map(|number| self.at(*number as usize))
    }

    /// Finds one.
    pub fn find(&self, key: &str) -> Option<Shown<'_>> {
        self.number(key).map(|number| self.at(number))
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// Returns the number of a label's value.
    pub fn value(&self, label: usize, value: &str) -> Option<u32> {
        let found = self.labels[label].1.iter().position(|known| known == value)?;
        u32::try_from(found).ok()
    }

    fn number(&self, key: &str) -> Option<usize> {
        self.entries.binary_search_by(|entry| (*entry.key).cmp(key)).ok()
    }

    fn at(&self, number: usize) -> Shown<'_> {
        let Entry { key, values, row, .. } = &self.entries[number];
        Shown { key, values, row: row.map(|(start, end)| &self.rows[start..end]) }
    }
}

/// Takes what a state shows of one collection.
struct Reading<'u> {
    name: CollectionName,
    url_base: &'u str,
    shape: Option<ShownShape>,
    kinds: Vec<Kinds>,
    entries: Vec<Entry>,
    rows: Vec<u8>,
    edited: u64,
}

impl ShownVisitor for Reading<'_> {
    fn shape(&mut self, shape: ShownShape) {
        self.kinds = vec![Kinds::default(); shape.columns.len()];
        self.shape = Some(shape);
    }

    fn record(&mut self, head: RecordHead<'_>) {
        let has_table = self.shape.as_ref().is_some_and(|shape| shape.table.is_some());
        let row = if has_table { None } else { Some(self.made_row(&head)) };
        self.entries.push(Entry {
            key: head.key.into(),
            extra_labels: head.extra_labels.into(),
            values: Vec::new(),
            row,
            seen: head.row.map(|(_, seen)| seen),
        });
    }

    fn row(&mut self, key: &str, seen: SeenDigest, values: &[Value]) {
        // A row that no record owns is not ours to show.
        let Ok(number) = self.entries.binary_search_by(|entry| (*entry.key).cmp(key)) else { return };
        let Some(shape) = &self.shape else { return };
        let start = self.rows.len();
        for (at, (name, value)) in shape.columns.iter().zip(values).enumerate() {
            self.rows.push(if at == 0 { b'{' } else { b',' });
            member(&mut self.rows, name, value);
            self.kinds[at].note(value);
        }
        self.rows.push(b'}');
        let entry = &mut self.entries[number];
        self.edited += u64::from(entry.seen.is_some_and(|recorded| recorded != seen));
        entry.row = Some((start, self.rows.len()));
    }
}

impl Kinds {
    fn note(&mut self, value: &Value) {
        match value {
            Value::Null => self.null = true,
            Value::Number(number) if number.is_f64() => self.number = true,
            Value::Number(_) => self.integer = true,
            Value::String(_) => self.text = true,
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => self.other = true,
        }
    }
}

fn member(text: &mut Vec<u8>, name: &str, value: &Value) {
    let written = "a buffer takes everything";
    serde_json::to_writer(&mut *text, name).expect(written);
    text.push(b':');
    serde_json::to_writer(&mut *text, value).expect(written);
}

impl<'u> Reading<'u> {
    fn new(name: CollectionName, url_base: &'u str) -> Self {
        let (shape, kinds, entries, rows) = (None, Vec::new(), Vec::new(), Vec::new());
        Self { name, url_base, shape, kinds, entries, rows, edited: 0 }
    }

    /// Makes the row of a collection that has no table: its labels, and where its files are.
    fn made_row(&mut self, head: &RecordHead<'_>) -> (usize, usize) {
        let start = self.rows.len();
        let axes = self.shape.iter().flat_map(|shape| &shape.key);
        for (axis, value) in axes.zip(head.key.split('/')) {
            self.rows.push(if self.rows.len() == start { b'{' } else { b',' });
            member(&mut self.rows, axis, &value.into());
        }
        let paths = head.objects().filter_map(|(_, path)| path.parse().ok());
        let urls = paths.map(|path: crate::asset::ObjectPath| Value::from(path.url(self.url_base)));
        self.rows.push(b',');
        member(&mut self.rows, "urls", &urls.collect());
        self.rows.push(b'}');
        (start, self.rows.len())
    }

    fn finish(self) -> Option<Collection> {
        let Self { name, url_base: _, shape, kinds, mut entries, rows, edited } = self;
        let ShownShape { key, table, columns, arrangement } = shape?;
        let gone = entries.iter().filter(|entry| entry.seen.is_some() && entry.row.is_none()).count() as u64;
        let order = order(&entries, arrangement.map(|arrangement| arrangement.keys).unwrap_or_default());
        let labels = labels(&key, &mut entries, &order);
        let columns = match table {
            Some(_) => columns.into_iter().zip(kinds).collect(),
            None => {
                let text = Kinds { text: true, ..Kinds::default() };
                let urls = ("urls".to_owned(), Kinds { other: true, ..Kinds::default() });
                key.iter().map(|axis| (axis.clone(), text)).chain([urls]).collect()
            }
        };
        Some(Collection { name, key, columns, labels, entries, order, rows, edited, gone })
    }
}

/// Returns the numbers of assets in the order of a manifest; those that it does not name come last, by key.
fn order(entries: &[Entry], keys: Vec<String>) -> Vec<u32> {
    let find = |key: &String| entries.binary_search_by(|entry| (*entry.key).cmp(key)).ok();
    let mut ranks = vec![u32::MAX; entries.len()];
    for (rank, number) in keys.iter().filter_map(find).enumerate() {
        ranks[number] = u32::try_from(rank).unwrap_or(u32::MAX);
    }
    let mut order: Vec<u32> = (0..u32::try_from(entries.len()).unwrap_or(u32::MAX)).collect();
    order.sort_by_key(|number| ranks[*number as usize]);
    order
}

/// Collects labels and their values in the order in which they come, and gives each asset the numbers of its own.
fn labels(key: &[String], entries: &mut [Entry], order: &[u32]) -> Vec<(String, Vec<String>)> {
    let mut labels: Vec<(String, Vec<String>)> = key.iter().map(|axis| (axis.clone(), Vec::new())).collect();
    let mut numbers: Vec<HashMap<String, u32>> = vec![HashMap::new(); labels.len()];
    for entry in order.iter().map(|number| *number as usize) {
        let entry = &mut entries[entry];
        let extra: BTreeMap<String, String> = serde_json::from_str(&entry.extra_labels).unwrap_or_default();
        let own = key.iter().map(String::as_str).zip(entry.key.split('/'));
        let all = own.chain(extra.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut values = vec![NO_VALUE; labels.len()];
        for (name, value) in all {
            let label = labels.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                labels.push((name.to_owned(), Vec::new()));
                numbers.push(HashMap::new());
                values.push(NO_VALUE);
                labels.len() - 1
            });
            let next = numbers[label].len() as u32;
            values[label] = *numbers[label].entry(value.to_owned()).or_insert_with(|| {
                labels[label].1.push(value.to_owned());
                next
            });
        }
        entry.values = values;
    }
    for entry in entries {
        entry.values.resize(labels.len(), NO_VALUE);
    }
    labels
}
