//! Realtime tokens: no talk without credit. The providers are stand-ins that check what they are asked.

use serde_json::json;
use talktime_tests::provider_stand_in::{GEMINI_KEY, OPENAI_KEY, RecordedRequest};

use super::accounts::{USER, assert_nothing_leaks, bench, mint};

fn header<'a>(request: &'a RecordedRequest, name: &str) -> Option<&'a str> {
    request
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
}

#[tokio::test]
async fn openai_gives_a_client_secret() {
    let (bench, provider) = bench().await;
    let session = bench.start(USER).await;
    let answer = mint(
        &bench,
        USER,
        json!({"sessionId": session, "voice": "marin"}),
    )
    .await;

    assert_eq!(
        answer.ok(),
        json!({
            "token": "ek_68af296e8e408191a1120ab6383263c2",
            "provider": "openai",
            "model": "gpt-realtime-2.1",
            "expiresAt": "2026-11-10T12:01:00Z",
            "minutesRemaining": 10,
            "secondsRemaining": 600,
            "connect": {"url": format!("{}/v1/realtime/calls", provider.base_url()), "method": "webrtc"},
        })
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_nothing_leaks(&bench, &answer);
    let asked = provider.only_request();
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("POST", "/v1/realtime/client_secrets")
    );
    assert_eq!(
        header(&asked, "authorization"),
        Some(&*format!("Bearer {OPENAI_KEY}"))
    );
    assert_eq!(
        asked.body,
        json!({
            "expires_after": {"anchor": "created_at", "seconds": 60},
            "session": {
                "type": "realtime",
                "model": "gpt-realtime-2.1",
                "audio": {"output": {"voice": "marin"}},
            },
        })
    );
}

#[tokio::test]
async fn gemini_gives_an_ephemeral_token() {
    let (bench, provider) = bench().await;
    bench.start(USER).await;
    let answer = mint(&bench, USER, json!({"provider": "gemini", "voice": "Puck"})).await;

    let socket = provider.base_url().replacen("http", "ws", 1);
    let path =
        "ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained";
    assert_eq!(
        answer.ok(),
        json!({
            "token": "auth_tokens/3f1c6a9b0e7d",
            "provider": "gemini",
            "model": "gemini-3.8-live",
            "expiresAt": "2026-11-10T12:01:00Z",
            "minutesRemaining": 10,
            "secondsRemaining": 600,
            "connect": {"url": format!("{socket}/{path}"), "method": "access_token_query"},
        })
    );
    assert_nothing_leaks(&bench, &answer);
    let asked = provider.only_request();
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("POST", "/v1alpha/auth_tokens")
    );
    assert_eq!(header(&asked, "x-goog-api-key"), Some(GEMINI_KEY));
    assert_eq!(
        asked.body,
        json!({
            "uses": 1,
            "expireTime": "2026-11-10T12:10:00Z",
            "newSessionExpireTime": "2026-11-10T12:01:00Z",
            "bidiGenerateContentSetup": {
                "model": "models/gemini-3.8-live",
                "generationConfig": {
                    "responseModalities": ["AUDIO"],
                    "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}},
                },
            },
        })
    );
}

#[tokio::test]
async fn without_a_running_session_there_is_no_token() {
    let (bench, provider) = bench().await;
    let check = async |user: &str, session: Option<&str>, code: &str| {
        for provider in ["openai", "gemini"] {
            let answer = mint(
                &bench,
                user,
                json!({"provider": provider, "sessionId": session}),
            )
            .await;
            let _ = answer.refused(403, code);
        }
    };

    check("never-seen", None, "no_active_session").await;

    let ended = bench.start("ended").await;
    let _ = bench.end("ended", &ended).await;
    check("ended", None, "no_active_session").await;
    check("ended", Some(&ended), "no_active_session").await;

    let replaced = bench.start("replaced").await;
    let takeover = json!({"takeover": true});
    let _ = bench
        .post("replaced", "/api/session/start", takeover)
        .await
        .ok();
    check("replaced", Some(&replaced), "no_active_session").await;

    let used_up = bench.start("used-up").await;
    for user in ["stale", "talked-out"] {
        bench.plan(user, "pro", "upgrade").await;
    }
    let stale = bench.start("stale").await;
    bench.talk("used-up", &used_up, 570).await;
    bench.seconds(30);
    check("stale", None, "no_active_session").await;
    check("stale", Some(&stale), "no_active_session").await;
    // Nobody has looked at it since its last minute ended.
    check("used-up", None, "no_credits").await;

    // Longer than a session may be, with minutes left.
    let long = bench.start("talked-out").await;
    bench.talk("talked-out", &long, 3_570).await;
    bench.seconds(30);
    check("talked-out", Some(&long), "no_active_session").await;

    assert_eq!(provider.requests().len(), 0);
}

#[tokio::test]
async fn a_refusal_ends_and_bills_nothing() {
    let (bench, _provider) = bench().await;
    bench.plan(USER, "pro", "upgrade").await;
    bench.start(USER).await;
    bench.seconds(600);
    let before = bench.document("anna");
    let _ = mint(&bench, USER, json!({}))
        .await
        .refused(403, "no_active_session");
    assert_eq!(bench.document("anna"), before);
}

#[tokio::test]
async fn a_token_does_not_outlive_the_users_time() {
    let (bench, provider) = bench().await;
    let session = bench.start(USER).await;
    bench.talk(USER, &session, 570).await;

    let check = async |left: u64, openai: Option<u64>| {
        let asked_before = provider.requests().len();
        let answer = mint(&bench, USER, json!({"provider": "openai"})).await;
        if let Some(seconds) = openai {
            assert_eq!(answer.ok()["secondsRemaining"], left);
            let asked = provider.requests();
            assert_eq!(
                asked[asked_before].body["expires_after"]["seconds"],
                seconds
            );
            assert!(seconds <= left);
        } else {
            let refusal = answer.refused(403, "session_ending");
            assert_eq!(refusal["secondsRemaining"], left);
            assert_eq!(provider.requests().len(), asked_before);
        }
        let asked_before = provider.requests().len();
        let answer = mint(&bench, USER, json!({"provider": "gemini"})).await.ok();
        assert_eq!(answer["expiresAt"], "2026-11-10T12:10:00Z");
        let body = &provider.requests()[asked_before].body;
        assert_eq!(body["expireTime"], "2026-11-10T12:10:00Z");
        assert_eq!(body["newSessionExpireTime"], "2026-11-10T12:10:00Z");
    };
    check(30, Some(28)).await;
    bench.seconds(20);
    check(10, Some(10)).await;
    bench.seconds(1);
    // Ten seconds are the shortest life that OpenAI gives: there would be one too many.
    check(9, None).await;
}

#[tokio::test]
async fn with_hours_left_a_token_of_googles_lives_for_ten_minutes() {
    let (bench, provider) = bench().await;
    bench.plan(USER, "pro", "upgrade").await;
    bench.start(USER).await;
    let _ = mint(&bench, USER, json!({"provider": "gemini"})).await.ok();
    assert_eq!(
        provider.only_request().body["expireTime"],
        "2026-11-10T12:10:00Z"
    );
}
