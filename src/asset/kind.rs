//! Kinds of generators, as tables: what each speaks of recipes, without a service being asked.
//!
//! Data and pure functions, so that manifests, configuration, plans and pages can all read them. How a kind is called is
//! left to its adapter.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Complaint, FieldSpec, Recipe, check_fields};

/// Whether calls cost money: a property of the adapter, never of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// Never charged.
    Free,
    /// Charged for each picture.
    Paid,
}

/// How fast a service may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Most pictures under way at once.
    pub concurrency: usize,
    /// Most pictures that are asked for in any minute; `None` for as many as may be.
    pub images_per_minute: Option<u64>,
    /// The least time between two requests for a picture.
    pub min_interval: Duration,
    /// How long one picture is waited for; after that it stays `submitted`, and the next run asks for it again.
    pub deadline: Duration,
}

/// Which seeds a kind takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeds {
    /// None: the take is part of the recipe, and is not sent.
    None,
    /// Those up to a largest one.
    UpTo(u64),
}

/// Which sizes a kind makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SizeRule {
    /// Exactly the one that is asked for, with sides within these bounds, in pixels.
    Exact(RangeInclusive<u32>),
}

/// Everything that is known of a kind without calling it.
#[derive(Debug)]
pub struct KindSpec {
    /// The name in `pixform.yaml` and in recipes.
    pub name: &'static str,
    /// How people call the service.
    pub title: &'static str,
    /// Whether calls cost money.
    pub cost: Cost,
    /// The fields of its own that a recipe may have, in the order in which people read them.
    pub fields: &'static [FieldSpec],
    /// Fields of other kinds that people look for here, each with what to do in their place.
    pub lacks: &'static [(&'static str, &'static str)],
    /// Whether a recipe needs a model, and how one is named.
    pub model: Option<&'static str>,
    /// Longest prompt and negative prompt, in Unicode code points.
    pub prompt_chars_max: usize,
    /// Which seeds it takes.
    pub seeds: Seeds,
    /// Which sizes it makes.
    pub sizes: SizeRule,
    /// How fast it may be asked where nothing else is said.
    pub pace: Pace,
    /// Checks what no table can tell.
    pub check: fn(&Recipe, &mut Vec<Complaint>),
}

impl KindSpec {
    /// Tells whether the kind takes a seed.
    pub fn takes_seeds(&self) -> bool {
        match self.seeds {
            Seeds::None => false,
            Seeds::UpTo(_) => true,
        }
    }

    /// Returns the field of a name.
    pub fn field(&self, name: &str) -> Option<&'static FieldSpec> {
        self.fields.iter().find(|spec| spec.name == name)
    }

    /// Checks a recipe offline against what the service accepts, in the order in which people read its fields. Nothing is
    /// reserved while all is well, for a plan checks a million recipes.
    pub fn check(&self, recipe: &Recipe) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        self.check_texts(recipe, &mut complaints);
        check_fields(self.title, self.fields, &recipe.fields, &mut complaints);
        if let (Some(seed), Seeds::UpTo(most)) = (recipe.seed, self.seeds) {
            complaints.extend(out_of_range("seed", &(0..=most), seed.get()));
        }
        match &self.sizes {
            SizeRule::Exact(sides) => {
                complaints.extend(out_of_range("width", sides, recipe.width));
                complaints.extend(out_of_range("height", sides, recipe.height));
            }
        }
        (self.check)(recipe, &mut complaints);
        complaints
    }

    fn check_texts(&self, recipe: &Recipe, complaints: &mut Vec<Complaint>) {
        if let (Some(help), None | Some("")) = (self.model, recipe.model.as_deref()) {
            let message = format!("must be set for {}", self.title);
            complaints.push(Complaint { field: "model".into(), message, help: Some(help.to_owned()) });
        }
        if recipe.prompt.is_empty() {
            let help = Some("say what the picture shows".to_owned());
            complaints.push(Complaint { field: "prompt".into(), message: "must not be empty".to_owned(), help });
        }
        let most = self.prompt_chars_max;
        let texts = [("prompt", Some(&recipe.prompt)), ("negative_prompt", recipe.negative_prompt.as_ref())];
        for (field, text) in texts.into_iter().filter_map(|(field, text)| Some((field, text?))) {
            // Bytes are never fewer than characters, so most texts need not be counted.
            let chars = if text.len() <= most { 0 } else { text.chars().count() };
            if chars > most {
                let message = format!("must have at most {most} characters, has {chars}");
                complaints.push(Complaint { field: field.into(), message, help: None });
            }
        }
    }
}

fn out_of_range<N: PartialOrd + Display>(
    field: &'static str,
    range: &RangeInclusive<N>,
    value: N,
) -> Option<Complaint> {
    let (from, to) = (range.start(), range.end());
    (!range.contains(&value)).then(|| Complaint {
        field: Cow::Borrowed(field),
        message: format!("must be from {from} to {to}, is {value}"),
        help: Some(format!("write a number from {from} to {to}")),
    })
}
