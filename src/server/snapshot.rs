//! What is published, as of one moment: the rows of every collection, ready to be sent.
//!
//! Reading it is left to the state, keeping it current to [`fresh`](super::fresh).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::asset::CollectionName;
use crate::digest::SeenDigest;
use crate::record::RecordHead;
use crate::state::{ColumnHolds, Nulls, RowReader, ShownColumn, ShownShape, ShownVisitor, Shows, State, StateError};

use super::answer::CachedAnswer;

/// Answers that are kept ready at most, and their bytes.
const ANSWERS_MAX: usize = 512;
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Stands for a label that an asset does not have.
pub const NO_VALUE: u32 = u32::MAX;

/// Everything that is published.
#[derive(Debug)]
pub struct Snapshot {
    /// The collections, by name; none of those that may not be read at all.
    pub collections: BTreeMap<String, Collection>,
    /// How much is shown of all that there is.
    pub shows: Shows,
    answers: RwLock<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    by_target: HashMap<Box<str>, Arc<CachedAnswer>>,
    bytes: usize,
}

/// One collection.
#[derive(Debug, PartialEq)]
pub struct Collection {
    /// Its name.
    pub name: CollectionName,
    /// Its key axes.
    pub key: Vec<String>,
    /// The columns of its rows.
    pub columns: Vec<ServedColumn>,
    /// How much of its rows is shown.
    pub shows: Shows,
    /// Its labels, those of the key first, each with its values; both in manifest order.
    pub labels: Vec<(String, Vec<String>)>,
    /// The assets, by key.
    entries: Vec<ServedEntry>,
    /// The numbers of the assets in manifest order.
    order: Vec<u32>,
    /// The rows, one after another.
    rows: Vec<u8>,
    /// How many rows somebody edited.
    pub edited: u64,
    /// How many rows are gone.
    pub gone: u64,
}

/// A column of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedColumn {
    /// Its name.
    pub name: String,
    /// What it holds by its declaration.
    pub holds: ColumnHolds,
    /// Whether it may be empty.
    pub nulls: Nulls,
    /// The kinds of JSON values that were seen in it.
    kinds: ColumnTypes,
}

/// The kinds of JSON values that a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct ColumnTypes {
    null: bool,
    integer: bool,
    number: bool,
    text: bool,
    truth: bool,
    other: bool,
}

impl ServedColumn {
    fn new(name: &str, holds: ColumnHolds, nulls: Nulls) -> Self {
        Self { name: name.to_owned(), holds, nulls, kinds: ColumnTypes::default() }
    }

    /// Tells whether everything that was seen in it is what it was declared for; some databases keep anything anywhere.
    pub fn is_as_declared(&self) -> bool {
        let ColumnTypes { null, integer, number, text, truth, other } = self.kinds;
        let [integers, numbers, texts, truths, others] = match self.holds {
            ColumnHolds::Bigint | ColumnHolds::Integer => [true, false, false, false, false],
            ColumnHolds::Number => [true, true, false, false, false],
            ColumnHolds::Decimal => [true, true, true, false, false],
            ColumnHolds::Text | ColumnHolds::Moment => [false, false, true, false, false],
            ColumnHolds::Truth => [false, false, false, true, false],
            ColumnHolds::Texts => [false, false, false, false, true],
            ColumnHolds::Anything => [true; 5],
        };
        (integers || !integer)
            && (numbers || !number)
            && (texts || !text)
            && (truths || !truth)
            && (others || !other)
            && (self.nulls == Nulls::Allowed || !null)
    }
}

/// One published asset.
#[derive(Debug, PartialEq)]
struct ServedEntry {
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
pub struct ShownAsset<'c> {
    /// Its key.
    pub key: &'c str,
    /// For each label the number of its value.
    pub values: &'c [u32],
    /// Its row as JSON, where it has one.
    pub row: Option<&'c [u8]>,
}

impl Snapshot {
    /// Reads everything that is published, as far as a reader may read it.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn read(state: &dyn State, reader: &RowReader, url_base: &str) -> Result<Self, StateError> {
        let (mut collections, mut shows) = (BTreeMap::new(), Shows::Everything);
        for known in state.known().await?.collections {
            let mut reading = SnapshotReader::new(known.name.clone(), url_base);
            state.shown(&known.name, reader, &mut reading).await?;
            let Some(collection) = reading.finish() else { continue };
            if collection.shows != Shows::Everything {
                shows = Shows::SomeRows;
            }
            if collection.shows != Shows::Nothing {
                collections.insert(known.name.to_string(), collection);
            }
        }
        Ok(Self { collections, shows, answers: RwLock::default() })
    }

    /// Tells whether another shows the same.
    pub fn equals(&self, other: &Self) -> bool {
        self.collections == other.collections && self.shows == other.shows
    }

    /// Returns the answer that was made for a target before.
    pub fn answer(&self, target: &str) -> Option<Arc<CachedAnswer>> {
        self.answers.read().unwrap_or_else(PoisonError::into_inner).by_target.get(target).cloned()
    }

    /// Keeps an answer for the next who asks for the same; nothing grows without a bound.
    pub fn keep(&self, target: &str, answer: &Arc<CachedAnswer>) {
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
    pub fn shown(&self) -> impl Iterator<Item = ShownAsset<'_>> {
        self.order.iter().map(|number| self.at(*number as usize))
    }

    /// Finds one.
    pub fn find(&self, key: &str) -> Option<ShownAsset<'_>> {
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

    fn at(&self, number: usize) -> ShownAsset<'_> {
        let ServedEntry { key, values, row, .. } = &self.entries[number];
        ShownAsset { key, values, row: row.map(|(start, end)| &self.rows[start..end]) }
    }
}

/// Takes what a state shows of one collection.
struct SnapshotReader<'u> {
    name: CollectionName,
    url_base: &'u str,
    shape: Option<ShownShape>,
    columns: Vec<ServedColumn>,
    entries: Vec<ServedEntry>,
    rows: Vec<u8>,
    edited: u64,
}

impl ShownVisitor for SnapshotReader<'_> {
    fn shape(&mut self, shape: ShownShape) {
        let column = |column: &ShownColumn| ServedColumn::new(&column.name, column.holds, column.nulls);
        self.columns = shape.columns.iter().map(column).collect();
        self.shape = Some(shape);
    }

    fn record(&mut self, head: RecordHead<'_>) {
        let has_table = self.shape.as_ref().is_some_and(|shape| shape.table.is_some());
        let row = if has_table { None } else { Some(self.made_row(&head)) };
        self.entries.push(ServedEntry {
            key: head.key.into(),
            extra_labels: head.extra_labels.into(),
            values: Vec::new(),
            row,
            seen: head.row.map(|(_, seen)| seen),
        });
    }

    fn row(&mut self, key: &str, seen: Option<SeenDigest>, values: &[Value]) {
        // A row that no record owns is not ours to show.
        let Ok(number) = self.entries.binary_search_by(|entry| (*entry.key).cmp(key)) else { return };
        let start = self.rows.len();
        for (at, (column, value)) in self.columns.iter_mut().zip(values).enumerate() {
            self.rows.push(if at == 0 { b'{' } else { b',' });
            member(&mut self.rows, &column.name, value);
            column.kinds.note(value);
        }
        self.rows.push(b'}');
        let entry = &mut self.entries[number];
        self.edited += u64::from(entry.seen.zip(seen).is_some_and(|(recorded, seen)| recorded != seen));
        entry.row = Some((start, self.rows.len()));
    }
}

impl ColumnTypes {
    fn note(&mut self, value: &Value) {
        match value {
            Value::Null => self.null = true,
            Value::Number(number) if number.is_f64() => self.number = true,
            Value::Number(_) => self.integer = true,
            Value::String(_) => self.text = true,
            Value::Bool(_) => self.truth = true,
            Value::Array(_) | Value::Object(_) => self.other = true,
        }
    }
}

/// Writes a member of a JSON object.
pub fn member(text: &mut Vec<u8>, name: &str, value: &Value) {
    let written = "a buffer takes everything";
    serde_json::to_writer(&mut *text, name).expect(written);
    text.push(b':');
    serde_json::to_writer(&mut *text, value).expect(written);
}

impl<'u> SnapshotReader<'u> {
    fn new(name: CollectionName, url_base: &'u str) -> Self {
        let (shape, columns, entries, rows) = (None, Vec::new(), Vec::new(), Vec::new());
        Self { name, url_base, shape, columns, entries, rows, edited: 0 }
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
        let Self { name, url_base: _, shape, columns, mut entries, rows, edited } = self;
        let ShownShape { key, table, columns: _, shows, arrangement } = shape?;
        match shows {
            Shows::Everything => {}
            // What is hidden and what is gone cannot be told apart, and neither is to be told of.
            Shows::SomeRows | Shows::SomeColumns | Shows::Nothing => entries.retain(|entry| entry.row.is_some()),
        }
        let gone = entries.iter().filter(|entry| entry.seen.is_some() && entry.row.is_none()).count() as u64;
        let order = order(&entries, arrangement.map(|arrangement| arrangement.keys).unwrap_or_default());
        let labels = labels(&key, &mut entries, &order);
        let columns = match table {
            Some(_) => columns,
            None => {
                let axis = |axis: &String| ServedColumn::new(axis, ColumnHolds::Text, Nulls::Never);
                key.iter().map(axis).chain([ServedColumn::new("urls", ColumnHolds::Texts, Nulls::Never)]).collect()
            }
        };
        Some(Collection { name, key, columns, shows, labels, entries, order, rows, edited, gone })
    }
}

/// Returns the numbers of assets in the order of a manifest; those that it does not name come last, by key.
fn order(entries: &[ServedEntry], keys: Vec<String>) -> Vec<u32> {
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
fn labels(key: &[String], entries: &mut [ServedEntry], order: &[u32]) -> Vec<(String, Vec<String>)> {
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
