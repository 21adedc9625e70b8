//! The catalogue of plans: how many minutes a month each grants, and the other names that it goes by.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Minutes;

/// The name of a plan of the catalogue. Only a [`Catalogue`] makes one from a text, so a name that was checked is known.
///
/// A state outlives the catalogue that it was written under, so a stored name may be gone from today's:
/// [`Catalogue::plan`] then answers with free.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanName(String);

impl PlanName {
    /// As the catalogue has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlanName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a plan grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub name: PlanName,
    /// Minutes in each period.
    pub minutes: Minutes,
    /// What they are for.
    #[serde(default)]
    pub per: Allowance,
}

/// For how long a plan's minutes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allowance {
    /// For each month of the paid period, counted from its day; for the whole of one that is shorter.
    #[default]
    Month,
    /// For the paid period, however long it is.
    PaidPeriod,
}

/// All plans. There is always one called `free`, which whoever has nothing else is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    plans: BTreeMap<PlanName, Plan>,
    aliases: BTreeMap<String, PlanName>,
    free: Plan,
}

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// Not the JSON that [`Catalogue::parse`] describes.
    #[error("not a plan catalogue: {0}")]
    Json(#[from] serde_json::Error),
    /// Nobody would be on any plan.
    #[error("there is no plan called \"free\", which users without another plan are on")]
    NoFree,
    /// A name that two plans go by, or one that is empty, too long or unprintable.
    #[error("the plan name {0:?} is taken twice, empty, over 40 characters or not printable")]
    Name(String),
    /// A plan that is worse than none. Whoever pays for it would be on free, so it is a slip of somebody's pen.
    #[error("the plan {0:?} grants fewer minutes than \"free\"")]
    BelowFree(String),
    /// More minutes than ten years have.
    #[error("the plan {0:?} grants more than 5,000,000 minutes")]
    Minutes(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    minutes: u32,
    #[serde(default)]
    per: Allowance,
    /// Dollars a month: kept for people who read the catalogue, nothing here depends on it.
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "checked to be a number, then left to the pricing page"
    )]
    price: Option<f64>,
    #[serde(default)]
    aliases: Vec<String>,
}

const DEFAULT: &str = r#"{
    "free": {"minutes": 10, "price": 0},
    "basic": {"minutes": 100, "price": 15, "aliases": ["starter"]},
    "pro": {"minutes": 500, "price": 25, "aliases": ["premium", "enterprise"]}
}"#;

impl Default for Catalogue {
    fn default() -> Self {
        match Self::parse(DEFAULT) {
            Ok(catalogue) => catalogue,
            // `default_is_valid` below proves that the constant parses.
            Err(error) => unreachable!("{error}"),
        }
    }
}

impl Catalogue {
    /// Reads a catalogue from JSON: an object of plans by name, each with `minutes`, and if wanted `price`, `aliases` and
    /// `per`, such as `{"free": {"minutes": 10}, "pro": {"minutes": 500, "price": 25, "aliases": ["premium"]}}`. The
    /// minutes are for a month, or, with `"per": "paid_period"`, for as long as is paid for at a time.
    ///
    /// # Errors
    /// When the JSON has another form, `free` is missing, a name is used twice, a number is out of bounds, or a plan has
    /// fewer minutes than `free`.
    pub fn parse(json: &str) -> Result<Self, CatalogueError> {
        let entries: BTreeMap<String, Entry> = serde_json::from_str(json)?;
        let mut plans = BTreeMap::new();
        let mut aliases = BTreeMap::new();
        for (name, entry) in entries {
            if entry.minutes > 5_000_000 {
                return Err(CatalogueError::Minutes(name));
            }
            let plan = Plan {
                name: PlanName(name.clone()),
                minutes: Minutes::new(entry.minutes),
                per: entry.per,
            };
            for alias in entry.aliases.iter().chain([&name]) {
                let key = alias.to_lowercase();
                let printable = !alias.is_empty()
                    && alias.chars().count() <= 40
                    && !alias.chars().any(char::is_control);
                if !printable || aliases.insert(key, plan.name.clone()).is_some() {
                    return Err(CatalogueError::Name(alias.clone()));
                }
            }
            plans.insert(plan.name.clone(), plan);
        }
        let name = PlanName("free".to_owned());
        let free = plans.get(&name).ok_or(CatalogueError::NoFree)?.clone();
        if let Some(worse) = plans.values().find(|plan| plan.minutes < free.minutes) {
            return Err(CatalogueError::BelowFree(worse.name.0.clone()));
        }
        Ok(Self {
            plans,
            aliases,
            free,
        })
    }

    /// The plan of users who are granted no other.
    pub fn free(&self) -> &Plan {
        &self.free
    }

    /// The plan that goes by `name`, whatever its case.
    pub fn find(&self, name: &str) -> Option<&PlanName> {
        self.aliases.get(&name.to_lowercase())
    }

    /// What the plan of that name grants today; free, where the catalogue no longer has it.
    pub fn plan(&self, name: &PlanName) -> Plan {
        self.plans.get(name).unwrap_or(&self.free).clone()
    }

    /// The names of all plans.
    pub fn names(&self) -> impl Iterator<Item = &PlanName> {
        self.plans.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_is_valid() {
        let catalogue = Catalogue::parse(DEFAULT).expect("valid");
        let check = |name: &str, plan: &str, minutes| {
            let found = catalogue.plan(catalogue.find(name).expect("known"));
            assert_eq!(
                (found.name.as_str(), found.minutes),
                (plan, Minutes::new(minutes))
            );
        };
        check("free", "free", 10);
        check("Basic", "basic", 100);
        check("starter", "basic", 100);
        check("pro", "pro", 500);
        check("PREMIUM", "pro", 500);
        check("enterprise", "pro", 500);
        assert_eq!(catalogue.find("gold"), None);
    }

    #[test]
    fn a_bad_catalogue_says_what_is_wrong() {
        let check = |json: &str, needle: &str| {
            let error = Catalogue::parse(json).expect_err("invalid").to_string();
            assert!(error.contains(needle), "{json} gave {error}");
        };
        check("", "not a plan catalogue");
        check("[]", "not a plan catalogue");
        check(r#"{"free": {"minutes": -1}}"#, "not a plan catalogue");
        check(r#"{"free": {"minutes": 1, "minuts": 2}}"#, "minuts");
        check(r#"{"pro": {"minutes": 1}}"#, "no plan called \"free\"");
        check(r#"{"free": {"minutes": 6000000}}"#, "5,000,000");
        check(
            r#"{"free": {"minutes": 10}, "pro": {"minutes": 5}}"#,
            "\"pro\" grants fewer minutes than \"free\"",
        );
        check(
            r#"{"free": {"minutes": 10, "per": "year"}}"#,
            "not a plan catalogue",
        );
        check(
            r#"{"free": {"minutes": 1}, "pro": {"minutes": 2, "aliases": ["Free"]}}"#,
            "taken twice",
        );
    }
}
