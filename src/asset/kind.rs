//! Kinds of generators, as tables: what each speaks of recipes, without a service being asked.
//!
//! Data and pure functions, so that manifests, configuration, plans and pages can all read them. How a kind is called is
//! left to its adapter.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Complaint, FieldMap, FieldSpec, MicroUsd, OptionSpec, Recipe, check_fields};

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

/// Whether a kind takes a negative prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegativePrompt {
    /// It may be set.
    Taken,
    /// The service has none.
    Lacking,
}

/// Where pictures are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locality {
    /// In this process: there is no address and no key, and another kind's checks may be borrowed.
    Here,
    /// By a service.
    Service {
        /// Its address unless another is configured.
        base_url: &'static str,
        /// The variable that usually holds its key.
        key_variable: &'static str,
        /// How long the answer to a request for a picture may take unless something else is configured.
        request_timeout: Duration,
    },
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

/// What `pixform.yaml` may say of the pace of every kind.
pub const PACE_OPTIONS: [&str; 4] = ["concurrency", "images_per_minute", "min_interval", "deadline"];

/// Everything that is known of a kind without calling it.
pub struct KindSpec {
    /// The name in `pixform.yaml` and in recipes.
    pub name: &'static str,
    /// How people call the service.
    pub title: &'static str,
    /// Whether calls cost money.
    pub cost: Cost,
    /// Where its pictures are made.
    pub reach: Locality,
    /// What `pixform.yaml` may say of it beyond what it may of every kind of its sort, in the order in which people read it.
    pub options: &'static [OptionSpec],
    /// What these options add to the price of a picture.
    pub surcharge: fn(&FieldMap) -> MicroUsd,
    /// The fields of its own that a recipe may have, in the order in which people read them.
    pub fields: &'static [FieldSpec],
    /// Fields of other kinds that people look for here, each with what to do in their place.
    pub lacks: &'static [(&'static str, &'static str)],
    /// Whether a recipe needs a model, and how one is named.
    pub model: Option<&'static str>,
    /// Longest prompt and negative prompt, in Unicode code points.
    pub prompt_chars_max: usize,
    /// Whether it takes a negative prompt.
    pub negative_prompt: NegativePrompt,
    /// Which seeds it takes.
    pub seeds: Seeds,
    /// Which sizes it makes.
    pub sizes: SizeRule,
    /// How fast it may be asked where nothing else is said.
    pub pace: Pace,
    /// Checks what no table can tell.
    pub check: fn(&Recipe, &mut Vec<Complaint>),
}

impl fmt::Debug for KindSpec {
    /// Names it: its table is no news.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl KindSpec {
    /// Tells whether the kind takes a seed.
    pub fn takes_seeds(&self) -> bool {
        match self.seeds {
            Seeds::None => false,
            Seeds::UpTo(_) => true,
        }
    }

    /// Returns the names of everything that `pixform.yaml` may say of a generator of this kind, as people read it.
    pub fn option_names(&self) -> Vec<&'static str> {
        let place: &[&str] = match self.reach {
            Locality::Here => &["checks_as"],
            Locality::Service { .. } => &["base_url", "api_key", "request_timeout"],
        };
        let money: &[&str] = match self.cost {
            Cost::Free => &[],
            Cost::Paid => &["price"],
        };
        let own = self.options.iter().map(|spec| spec.name);
        ["kind"].iter().chain(money).chain(place).chain(&PACE_OPTIONS).copied().chain(own).collect()
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
        if let (Some(_), NegativePrompt::Lacking) = (&recipe.negative_prompt, self.negative_prompt) {
            let message = format!("is nothing that {} takes", self.title);
            let help = "say in `prompt` what the picture shows in its place; `negative_prompt: null` leaves it out";
            complaints.push(Complaint { field: "negative_prompt".into(), message, help: Some(help.to_owned()) });
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
