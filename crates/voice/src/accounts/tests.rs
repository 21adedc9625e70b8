use super::*;

fn accounts(openai: Option<&str>, gemini: Option<&str>) -> Accounts {
    let account = |variables: &'static Variables, key| {
        variables
            .account(Values {
                key,
                ..Values::default()
            })
            .expect("defaults are valid")
    };
    Accounts {
        openai: account(&OPENAI, openai),
        openai_live: account(&OPENAI_LIVE, openai),
        gemini: account(&GEMINI, gemini),
    }
}

#[test]
fn the_provider_is_the_one_asked_for_or_the_first_that_is_set_up() {
    let check =
        |keys: (Option<&str>, Option<&str>), asked, expected: Result<(&str, &str), &str>| {
            let accounts = accounts(keys.0, keys.1);
            let chosen = accounts.choose(asked);
            let outcome = chosen.map(|account| {
                let model = account.model(None).expect("a default");
                (account.provider().as_str(), model)
            });
            let outcome = outcome.map_err(|error| {
                assert_eq!(error.asked, asked.map(Provider::as_str));
                error.to_string()
            });
            let expected = expected.map_err(str::to_owned);
            assert_eq!(outcome, expected, "{keys:?} {asked:?}");
        };
    let (openai, gemini) = (Some(Provider::OpenAi), Some(Provider::Gemini));
    let first = Ok(("openai", "gpt-realtime-2.1"));
    let second = Ok(("gemini", "gemini-3.8-live"));
    check((Some("a"), Some("b")), None, first);
    check((Some("a"), Some("b")), gemini, second);
    check((None, Some("b")), None, second);
    check((None, Some("b")), gemini, second);
    check((Some("a"), None), openai, first);
    check(
        (None, Some("b")),
        openai,
        Err("The operator can set the variable openai_api_key"),
    );
    check(
        (Some("a"), None),
        gemini,
        Err("The operator can set the variable gemini_api_key"),
    );
    check(
        (None, None),
        None,
        Err("The operator can set the variable openai_api_key or gemini_api_key"),
    );
}

#[test]
fn a_call_is_had_where_its_models_are_offered() {
    let check = |key, live_models, asked, expected: Result<(&str, &str), (&str, &str)>| {
        let mut accounts = accounts(key, Some("b"));
        accounts.openai_live = OPENAI_LIVE
            .account(Values {
                key,
                models: live_models,
                ..Values::default()
            })
            .expect("valid");
        let chosen = accounts.for_call(asked);
        if let Err(error) = chosen {
            let told = (error.asked.expect("one"), error.to_string());
            let (asked, variable) = expected.expect_err("an account");
            let text = format!("The operator can set the variable {variable}");
            assert_eq!(told, (asked, text));
            return;
        }
        let outcome = chosen.map(|account| {
            let provider = account.call_provider().expect("calls can be had");
            assert_eq!(account.name(), provider.as_str());
            assert_eq!(account.provider(), Provider::OpenAi);
            assert_eq!(account.key, "Bearer a");
            (provider.as_str(), account.model(None).expect("a default"))
        });
        assert_eq!(outcome.ok(), expected.ok(), "{asked:?}");
    };
    let (realtime, live) = (Some(CallProvider::OpenAi), Some(CallProvider::OpenAiLive));
    let models = Some("gpt-live-1, gpt-live-1.1");
    let first = Ok(("openai", "gpt-realtime-2.1"));
    check(Some("a"), models, None, first);
    check(Some("a"), models, realtime, first);
    check(Some("a"), None, realtime, first);
    check(Some("a"), models, live, Ok(("openai-live", "gpt-live-1")));
    check(
        Some("a"),
        None,
        live,
        Err(("openai-live", "openai_live_models")),
    );
    check(None, models, live, Err(("openai-live", "openai_api_key")));
    check(None, models, None, Err(("openai", "openai_api_key")));
    let gemini = accounts(None, Some("b")).gemini.expect("there is a key");
    assert_eq!(gemini.call_provider(), None);
    // What is set is checked, with a key or without.
    let error = OPENAI_LIVE
        .account(Values {
            models: Some(","),
            ..Values::default()
        })
        .err();
    assert_eq!(
        error.map(|error| error.to_string()).as_deref(),
        Some("variable openai_live_models: names no model")
    );
}

#[test]
fn each_provider_has_its_header() {
    let accounts = accounts(Some(" sk-1\n"), Some("AIza-2"));
    let key = |account: &Option<Account>| account.as_ref().map(|account| account.key.clone());
    assert_eq!(
        key(&accounts.openai),
        Some(HeaderValue::from_static("Bearer sk-1"))
    );
    assert_eq!(
        key(&accounts.gemini),
        Some(HeaderValue::from_static("AIza-2"))
    );
    assert!(key(&accounts.openai).is_some_and(|key| key.is_sensitive()));
}

#[test]
fn a_bad_value_names_its_variable_and_is_not_quoted() {
    let check = |values: [Option<&str>; 4], expected: &str| {
        let [key, base_url, models, version] = values;
        let error = GEMINI
            .account(Values {
                key,
                base_url,
                models,
                version,
                ..Values::default()
            })
            .err()
            .map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some(expected));
    };
    check(
        [Some("se\ncret"), None, None, None],
        "variable gemini_api_key: has characters that no key has",
    );
    check(
        [None, Some("nonsense"), None, None],
        "variable gemini_base_url: must start with https:// or http://",
    );
    check(
        [None, None, Some("a, b;c"), None],
        "variable gemini_models: may hold only letters, digits and . _ - :",
    );
    check(
        [None, None, Some(","), None],
        "variable gemini_models: names no model",
    );
    check(
        [None, None, None, Some("../v1")],
        "variable gemini_api_version: must be a version such as v1alpha or v1beta",
    );
}

#[test]
fn a_model_that_is_not_offered_is_refused_with_those_that_are() {
    let account = GEMINI
        .account(Values {
            key: Some("k"),
            models: Some("models/x-1, y"),
            ..Values::default()
        })
        .expect("valid")
        .expect("there is a key");
    assert_eq!(account.model(None).ok(), Some("x-1"));
    assert_eq!(account.model(Some("y")).ok(), Some("y"));
    let error = account.model(Some("z")).expect_err("not offered");
    assert_eq!(
        error.to_string(),
        "must be one of those that are offered here: x-1, y"
    );
}
