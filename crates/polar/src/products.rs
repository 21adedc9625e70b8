//! What an operator sets about the billing provider.

use std::collections::BTreeMap;
use std::str::FromStr;

use talktime_usage::{Catalogue, PlanName};

/// The plans of products that do not name one themselves: the variable `polar_products`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Products(BTreeMap<String, PlanName>);

/// Why `polar_products` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProductsError {
    /// Not the JSON that [`Products::parse`] describes.
    #[error("not an object of plan names by product id: {0}")]
    Json(#[from] serde_json::Error),
    /// A plan that nobody knows.
    #[error(
        "the product {product:?} has the plan {plan:?}, which the catalogue of plans does not have"
    )]
    Plan { product: String, plan: String },
}

impl Products {
    /// Reads a JSON object of plan names by product id, such as `{"9d0d0000-0000-4000-8000-000000000003": "pro"}`.
    ///
    /// # Errors
    /// When the JSON has another form, or `catalogue` lacks a plan.
    pub fn parse(json: &str, catalogue: &Catalogue) -> Result<Self, ProductsError> {
        let plans: BTreeMap<String, String> = serde_json::from_str(json)?;
        let known = plans
            .into_iter()
            .map(|(product, plan)| match catalogue.find(&plan) {
                Some(name) => Ok((product, name.clone())),
                None => Err(ProductsError::Plan { product, plan }),
            });
        known.collect::<Result<_, _>>().map(Self)
    }

    /// The plan of a product.
    pub fn plan(&self, product: &str) -> Option<&PlanName> {
        self.0.get(product)
    }
}

/// What a payment that is overdue does to the plan: the variable `polar_past_due`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PastDue {
    /// Nothing yet: the provider tries again, and says when it gives up.
    #[default]
    Keep,
    /// It ends at once.
    End,
}

/// Another value than those that [`PastDue`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be \"keep\" or \"end\"")]
pub struct PastDueError;

impl FromStr for PastDue {
    type Err = PastDueError;

    fn from_str(text: &str) -> Result<Self, PastDueError> {
        match text {
            "keep" => Ok(Self::Keep),
            "end" => Ok(Self::End),
            _ => Err(PastDueError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_name_plans_of_the_catalogue() {
        let catalogue = Catalogue::default();
        let products =
            Products::parse(r#"{"p1": "pro", "p2": "Starter"}"#, &catalogue).expect("valid");
        let check = |product: &str, plan: Option<&str>| {
            assert_eq!(
                products.plan(product).map(PlanName::as_str),
                plan,
                "{product}"
            );
        };
        check("p1", Some("pro"));
        check("p2", Some("basic"));
        check("p3", None);
        assert_eq!(
            Products::parse("{}", &catalogue).expect("valid"),
            Products::default()
        );
    }

    #[test]
    fn bad_products_say_what_is_wrong() {
        let check = |json: &str, needle: &str| {
            let error = Products::parse(json, &Catalogue::default()).expect_err("invalid");
            assert!(error.to_string().contains(needle), "{json} gave {error}");
        };
        check("", "not an object of plan names");
        check("pro", "not an object of plan names");
        check("[]", "not an object of plan names");
        check(r#"{"p1": 1}"#, "not an object of plan names");
        check(r#"{"p1": null}"#, "not an object of plan names");
        check(
            r#"{"p1": "gold"}"#,
            "the product \"p1\" has the plan \"gold\"",
        );
    }

    #[test]
    fn an_overdue_payment_keeps_or_ends() {
        let check = |text: &str, expected| assert_eq!(text.parse::<PastDue>(), expected, "{text}");
        check("keep", Ok(PastDue::Keep));
        check("end", Ok(PastDue::End));
        check("", Err(PastDueError));
        check("END", Err(PastDueError));
        check("later", Err(PastDueError));
    }
}
