//! Descriptions of a connection (SDP, RFC 8866): as much of them as has to be known before they are passed on.

use crate::limits::{ANSWER_BYTES_MAX, OFFER_BYTES_MAX};

/// The offer of a WebRTC connection with sound, as the browser made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer(String);

/// Why a text is no such offer. It is told to callers, and never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Longer than [`OFFER_BYTES_MAX`].
    #[error("must have at most {OFFER_BYTES_MAX} bytes")]
    TooLong,
    /// Not of version 0, which is the only one there is.
    #[error("must begin with v=0")]
    Version,
    /// A line of another form.
    #[error("must have only lines of a letter, = and a value without control characters")]
    Line,
    /// No sound in it.
    #[error("must offer audio, in a line that begins with m=audio")]
    NoAudio,
}

impl Offer {
    /// Checks the text, and ends each line of it as is written (CRLF). One that ends with LF alone is read too, as
    /// section 5 of the RFC asks for.
    ///
    /// # Errors
    /// When it is no offer of a connection with sound.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        if text.len() > OFFER_BYTES_MAX {
            return Err(SdpError::TooLong);
        }
        check_lines(text)?;
        if !text.lines().any(|line| line.starts_with("m=audio ")) {
            return Err(SdpError::NoAudio);
        }
        Ok(Self(text.lines().flat_map(|line| [line, "\r\n"]).collect()))
    }

    /// Its text. Each line is `<letter>=<value>` and CRLF.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a provider's answer to an offer has the form of one. What is in it is for the browser to judge.
pub fn check_answer(text: &str) -> bool {
    text.len() <= ANSWER_BYTES_MAX && check_lines(text).is_ok()
}

fn check_lines(text: &str) -> Result<(), SdpError> {
    let mut lines = text.lines();
    if lines.next() != Some("v=0") {
        return Err(SdpError::Version);
    }
    if lines.all(is_line) {
        Ok(())
    } else {
        Err(SdpError::Line)
    }
}

/// `<type>=<value>`. A carriage return within a line is a control character like any other: some take it for the end of
/// one.
fn is_line(line: &str) -> bool {
    let is_printable = |character: char| character == '\t' || !character.is_control();
    line.split_once('=').is_some_and(|(kind, value)| {
        let is_letter = kind.len() == 1 && kind.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_letter && !value.is_empty() && value.chars().all(is_printable)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 46117317 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";

    #[test]
    fn an_offer_is_lines_with_sound_among_them() {
        let check = |text: &str, expected: Result<&str, SdpError>| {
            let offer = Offer::parse(text);
            let text = offer.as_ref().map(Offer::as_str).map_err(|error| *error);
            assert_eq!(text, expected);
        };
        check(OFFER, Ok(OFFER));
        // The ends of lines are written anew.
        check(&OFFER.replace("\r\n", "\n"), Ok(OFFER));
        check(OFFER.trim_end(), Ok(OFFER));
        let named = OFFER.replace("s=-", "s=Ünïcode\tname -- = x");
        check(&named, Ok(&named));

        check("", Err(SdpError::Version));
        check("v=1\r\nm=audio 9", Err(SdpError::Version));
        check("v=0 \r\nm=audio 9", Err(SdpError::Version));
        check(" v=0\r\nm=audio 9", Err(SdpError::Version));
        check("\u{feff}v=0\r\nm=audio 9", Err(SdpError::Version));
        check("v=0\rm=audio 9", Err(SdpError::Version));
        check("{\"sdp\":\"v=0\"}", Err(SdpError::Version));
        check("<!doctype html>", Err(SdpError::Version));

        check("v=0\r\n", Err(SdpError::NoAudio));
        check(&OFFER.replace("m=audio", "m=video"), Err(SdpError::NoAudio));
        check(
            &OFFER.replace("m=audio", "a=m=audio"),
            Err(SdpError::NoAudio),
        );
        check(
            &OFFER.replace("m=audio ", "m=audiox "),
            Err(SdpError::NoAudio),
        );
    }

    #[test]
    fn no_line_has_another_form() {
        for line in [
            "",
            " ",
            "x",
            "=",
            "a=",
            "a =b",
            "aa=b",
            "1=b",
            "-=b",
            "ä=b",
            "--boundary",
            "--=b",
            "--talktime--",
            "a=b\rc",
            "a=b\r\r",
            "a=b\u{0}",
            "a=\u{1b}[0m",
            "a=\u{7f}",
            "a=\u{85}",
        ] {
            let text = format!("{OFFER}{line}\r\na=end\r\n");
            assert_eq!(Offer::parse(&text), Err(SdpError::Line), "{line:?}");
            assert!(!check_answer(&text), "{line:?}");
        }
    }

    #[test]
    fn lengths_are_bounded() {
        let padded = |length: usize| {
            let pad = length - OFFER.len() - "a=\r\n".len();
            format!("{OFFER}a={}\r\n", "x".repeat(pad))
        };
        assert!(Offer::parse(&padded(16 * 1024)).is_ok());
        assert_eq!(Offer::parse(&padded(16 * 1024 + 1)), Err(SdpError::TooLong));
        assert!(check_answer(&padded(64 * 1024)));
        assert!(!check_answer(&padded(64 * 1024 + 1)));
    }

    #[test]
    fn an_answer_has_the_form_of_one() {
        assert!(check_answer(OFFER));
        assert!(check_answer("v=0\n"));
        for other in ["", "\n", "{}", "<html>", "v=0\r\n<html>", "ok"] {
            assert!(!check_answer(other), "{other:?}");
        }
    }

    #[test]
    fn an_error_is_a_sentence_without_the_text() {
        let check = |text: &str, expected: &str| {
            let error = Offer::parse(text).expect_err("no offer");
            assert_eq!(error.to_string(), expected);
        };
        check(&"x".repeat(20_000), "must have at most 16384 bytes");
        check("secret", "must begin with v=0");
        check(
            "v=0\r\nsecret",
            "must have only lines of a letter, = and a value without control characters",
        );
        check(
            "v=0\r\ns=secret",
            "must offer audio, in a line that begins with m=audio",
        );
    }
}
