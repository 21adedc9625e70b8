//! Forms as `multipart/form-data` has them, read without any leniency.

use http::HeaderMap;
use serde_json::{Map, Value};

/// The fields of a form; `None` where it is none, or has a field twice, or a file. The field `session` is read as JSON.
pub(super) fn fields(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let content_type = headers.get("content-type")?.to_str().ok()?;
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=")?;
    let boundary = boundary.trim_matches('"');
    // RFC 2046: 1 to 70 characters.
    if !(1..=70).contains(&boundary.len()) {
        return None;
    }
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter is at the start, without a line's end before it.
    let body = format!("\r\n{}", std::str::from_utf8(body).ok()?);
    let mut pieces = body.split(&delimiter);
    if !pieces.next()?.is_empty() {
        return None;
    }
    let mut fields = Map::new();
    while let Some(piece) = pieces.next() {
        if piece == "--" || piece == "--\r\n" {
            return pieces.next().is_none().then_some(Value::Object(fields));
        }
        let (name, value) = field(piece.strip_prefix("\r\n")?)?;
        let value = if name == "session" {
            serde_json::from_str(value).unwrap_or_default()
        } else {
            Value::from(value)
        };
        if fields.insert(name.to_owned(), value).is_some() {
            return None;
        }
    }
    // No last delimiter: the form is cut off.
    None
}

fn field(part: &str) -> Option<(&str, &str)> {
    let (head, value) = part.split_once("\r\n\r\n")?;
    let mut name = None;
    for line in head.split("\r\n") {
        let (header, told) = line.split_once(':')?;
        if header.eq_ignore_ascii_case("content-disposition") {
            let told = told.trim().strip_prefix("form-data; name=\"")?;
            // Nothing after the name: with a file's name it would be a file and no field.
            name = told.strip_suffix('"').filter(|name| !name.contains('"'));
        }
    }
    Some((name?, value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &str) -> Option<Value> {
        let mut headers = HeaderMap::new();
        let content_type = "multipart/form-data; boundary=xyz".parse();
        headers.insert("content-type", content_type.expect("a header"));
        fields(&headers, body.as_bytes())
    }

    const SDP: &str =
        "--xyz\r\nContent-Disposition: form-data; name=\"sdp\"\r\n\r\nv=0\r\na=b\r\n\r\n";
    const SESSION: &str = "--xyz\r\ncontent-disposition: form-data; name=\"session\"\r\n\
                           content-type: application/json\r\n\r\n{\"type\":\"realtime\"}\r\n";

    #[test]
    fn a_form_is_read() {
        assert_eq!(
            read(&format!("{SDP}{SESSION}--xyz--\r\n")),
            Some(json!({"sdp": "v=0\r\na=b\r\n", "session": {"type": "realtime"}}))
        );
    }

    #[test]
    fn what_is_no_form_is_not_read() {
        let file = SDP.replace("\"sdp\"", "\"sdp\"; filename=\"sdp\"");
        for body in [
            String::new(),
            "{}".to_owned(),
            format!("{SDP}{SESSION}"),
            format!("{SDP}{SESSION}--xyz--and more"),
            format!("{SDP}{SESSION}--xyz--\r\n--xyz"),
            format!("{SDP}{SDP}--xyz--"),
            format!("{file}--xyz--"),
            format!("before\r\n{SDP}--xyz--"),
            SDP.replace("\r\n", "\n") + "--xyz--",
        ] {
            assert_eq!(read(&body), None, "{body}");
        }
    }
}
