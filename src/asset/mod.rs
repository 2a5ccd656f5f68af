//! Assets: one wanted image each, fully decided.
//!
//! Everything here is a value with one parsing door. Where the values come from (a manifest) and what is done with them
//! (a plan) is left to other rooms.

mod field;
mod field_value;
mod heads;
mod kind;
mod money;
mod name;
mod option;
mod recipe;
mod rendition;
mod row;
mod table;

pub use field::{Citation, FieldSpec, FieldType, Presence, check_fields};
pub use field_value::{COUNT_CEILING, FieldMap, FieldName, FieldValue};
pub use heads::{Asset, Assets, Head, Heads, SeedFrom};
pub use kind::{Cost, KindSpec, Locality, NegativePrompt, PACE_OPTIONS, Pace, Seeds, SizeRule};
pub use money::MicroUsd;
pub use name::{
    AssetKey, CollectionName, Complaint, GeneratorName, Labels, NAME_BYTES_MAX, NameError, ObjectPath, Place,
    RenditionName, VALUE_BYTES_MAX, VALUE_RULE, is_identifier, is_label_value,
};
pub use option::{OptionSpec, OptionType};
pub use recipe::{Recipe, Seed, SeedBase, normalise};
pub use rendition::{Encoding, Fit, Format, PathPattern, Rendition, Resize, rendition_digest, renditions_digest};
pub use row::{OUTPUTS, Row, RowShape, URL_BASE, column_type};
pub use table::{ColumnType, SQL_NAME_BYTES_MAX, TableName, TableSpec, is_column_name};
