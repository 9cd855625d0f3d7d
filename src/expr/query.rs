//! Parameters of a request: query, JSON, form and text bodies as one tree of values.

use serde_json::{Map, Value as Json};

use crate::request::Request;
use crate::text;

/// Nesting that `a[b][c]=…` may have, and pairs that are read.
const MAX_DEPTH: usize = 16;
const MAX_PAIRS: usize = 10_000;

/// Why a request's parameters cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadParams {
    /// 400: malformed.
    Malformed(String),
    /// 415: a type that is not understood.
    Unsupported(String),
}

/// Reads parameters from requests.
pub struct Params;

impl Params {
    /// The query as an object: repeated keys: last wins; `q[]=1` is a list, `h[k]=v` an object.
    pub fn query(request: &Request) -> Result<Map<String, Json>, BadParams> {
        pairs(request.query.as_deref().unwrap_or("").as_bytes(), "the query")
    }

    /// The body as JSON, if it is any. Declared as JSON but malformed is an error.
    pub fn json(request: &Request) -> Result<Option<Json>, BadParams> {
        if request.body.is_empty() {
            return Ok(None);
        }
        match serde_json::from_str(&text::from_bytes(&request.body)) {
            Ok(json) => Ok(Some(json)),
            Err(error) if media_type(request).is_some_and(|t| is_json(&t)) => Err(BadParams::Malformed(
                format!("the body is not valid JSON: {error}"),
            )),
            Err(_) => Ok(None),
        }
    }

    /// Query and body merged, the body wins; JSON that is no object stands under `_json`, text
    /// under `_text`.
    pub fn merged(request: &Request) -> Result<Map<String, Json>, BadParams> {
        let mut merged = Params::query(request)?;
        if request.body.is_empty() {
            return Ok(merged);
        }
        for (key, value) in body(request)? {
            merged.insert(key, value);
        }
        Ok(merged)
    }
}

fn body(request: &Request) -> Result<Map<String, Json>, BadParams> {
    let as_text = || one("_text", Json::String(text::from_bytes(&request.body)));
    let Some(kind) = media_type(request) else {
        return Ok(as_text());
    };
    match kind.as_str() {
        "application/x-www-form-urlencoded" => pairs(&request.body, "the form"),
        kind if is_json(kind) => match Params::json(request)? {
            Some(Json::Object(map)) => Ok(map),
            other => Ok(one("_json", other.unwrap_or(Json::Null))),
        },
        "multipart/form-data" => multipart(request),
        kind if kind.starts_with("text/") => Ok(as_text()),
        other => Err(BadParams::Unsupported(format!(
            "a body of type `{other}` is not understood here; send JSON, a form or text"
        ))),
    }
}

/// The parts of a form that may hold files (RFC 7578); each part is its content as text.
fn multipart(request: &Request) -> Result<Map<String, Json>, BadParams> {
    let bad = |error: multer::Error| BadParams::Malformed(format!("the form is malformed: {error}"));
    let kind = request
        .header("content-type")
        .map(|v| text::from_bytes(v))
        .unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(bad)?;
    let body = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(request.body.clone())]);
    let mut form = multer::Multipart::new(body, boundary);
    let mut root = Map::new();
    // The whole body is there: nothing in here ever waits.
    let read = async {
        while let Some(field) = form.next_field().await? {
            let name = field.name().unwrap_or("").to_owned();
            let content = field.bytes().await?;
            insert(&mut root, &name, text::from_bytes(&content));
        }
        Ok(())
    };
    match futures_util::FutureExt::now_or_never(read) {
        Some(result) => result.map_err(bad)?,
        None => return Err(BadParams::Malformed("the form is not complete".into())),
    }
    Ok(root)
}

fn one(key: &str, value: Json) -> Map<String, Json> {
    Map::from_iter([(key.to_owned(), value)])
}

fn is_json(kind: &str) -> bool {
    kind == "application/json" || kind.ends_with("+json")
}

/// The media type without its parameters, in lower case.
fn media_type(request: &Request) -> Option<String> {
    let value = String::from_utf8_lossy(request.header("content-type")?).to_lowercase();
    let kind = value.split(';').next().unwrap_or("").trim().to_owned();
    (!kind.is_empty()).then_some(kind)
}

fn pairs(encoded: &[u8], what: &str) -> Result<Map<String, Json>, BadParams> {
    let mut root = Map::new();
    let pairs = encoded.split(|b| *b == b'&').filter(|p| !p.is_empty());
    for pair in pairs.take(MAX_PAIRS) {
        let equals = pair.iter().position(|b| *b == b'=');
        let (key, value) = equals.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
        let decode = |part: &[u8]| {
            text::percent_decode(part, true).ok_or_else(|| {
                let part = String::from_utf8_lossy(part);
                BadParams::Malformed(format!(
                    "{what} has a broken percent-escape in `{part}`; write % as %25"
                ))
            })
        };
        insert(&mut root, &decode(key)?, decode(value)?);
    }
    Ok(root)
}

fn insert(root: &mut Map<String, Json>, key: &str, value: String) {
    let (name, path) = split_key(key);
    let slot = root.entry(name).or_insert(Json::Null);
    let mut slot = slot;
    for part in path {
        slot = match part {
            "" => {
                if !slot.is_array() {
                    *slot = Json::Array(Vec::new());
                }
                let items = slot.as_array_mut().expect("just made");
                items.push(Json::Null);
                items.last_mut().expect("just pushed")
            }
            part => {
                if !slot.is_object() {
                    *slot = Json::Object(Map::new());
                }
                slot.as_object_mut()
                    .expect("just made")
                    .entry(part)
                    .or_insert(Json::Null)
            }
        };
    }
    *slot = Json::String(value);
}

/// `a[b][]` → `a` and `["b", ""]`; a key that is not of that form stands for itself.
fn split_key(key: &str) -> (String, Vec<&str>) {
    let plain = || (key.to_owned(), Vec::new());
    let Some(open) = key.find('[').filter(|&i| i > 0) else {
        return plain();
    };
    let Some(inner) = key[open..].strip_prefix('[').and_then(|k| k.strip_suffix(']')) else {
        return plain();
    };
    let path: Vec<&str> = inner.split("][").collect();
    let odd = path.len() > MAX_DEPTH || path.iter().any(|p| p.contains(['[', ']']));
    if odd {
        plain()
    } else {
        (key[..open].to_owned(), path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(query: &str, kind: &str, body: &[u8]) -> Result<String, BadParams> {
        let mut request = Request::example("POST", "/post");
        request.query = Some(query.into());
        request.body = bytes::Bytes::copy_from_slice(body);
        if !kind.is_empty() {
            request.headers.push((
                "content-type".into(),
                bytes::Bytes::copy_from_slice(kind.as_bytes()),
            ));
        }
        Params::merged(&request).map(|map| Json::Object(map).to_string())
    }

    #[test]
    fn bodies_of_every_kind_are_merged_with_the_query() {
        let json = "application/json; charset=utf-8";
        let form = "application/x-www-form-urlencoded";
        let multipart = "multipart/form-data; boundary=B";
        let parts = "--B\r\ncontent-disposition: form-data; name=\"msg\"\r\n\r\nhi\r\n\
                     --B\r\ncontent-disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nline\n\r\n--B--\r\n";
        for (query, kind, body, expected) in [
            ("a=1&a=2", "", "", r#"{"a":"2"}"#),
            (
                "q[]=1&q[]=2&h[k]=v&h[l][m]=w",
                "",
                "",
                r#"{"q":["1","2"],"h":{"k":"v","l":{"m":"w"}}}"#,
            ),
            (
                "msg=q&x=1",
                json,
                r#"{"msg":"b","n":1.50}"#,
                r#"{"msg":"b","x":"1","n":1.5}"#,
            ),
            ("", json, "[1,2]", r#"{"_json":[1,2]}"#),
            ("", json, "null", r#"{"_json":null}"#),
            ("", form, "a=1+2&b=%26", r#"{"a":"1 2","b":"&"}"#),
            ("x=1", multipart, parts, r#"{"x":"1","msg":"hi","f":"line\n"}"#),
            ("", "text/plain", "hi", r#"{"_text":"hi"}"#),
            ("", "", "hi", r#"{"_text":"hi"}"#),
            ("", "application/vnd.api+json", "{}", "{}"),
            (
                "a[=1&[b]=2&c[d]e=3",
                "",
                "",
                r#"{"a[":"1","[b]":"2","c[d]e":"3"}"#,
            ),
        ] {
            assert_eq!(
                merged(query, kind, body.as_bytes()).unwrap(),
                expected,
                "{query} {body}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (query, kind, body, status) in [
            ("a=%4", "", "", 400),
            ("", "application/json", "{", 400),
            ("", "image/png", "x", 415),
        ] {
            let got = match merged(query, kind, body.as_bytes()).unwrap_err() {
                BadParams::Malformed(_) => 400,
                BadParams::Unsupported(_) => 415,
            };
            assert_eq!(got, status, "{query} {kind}");
        }
    }

    #[test]
    fn bytes_come_through() {
        let text = merged("b=%ff%00", "", b"").unwrap();
        assert_eq!(&text::to_bytes(&text)[..], b"{\"b\":\"\xff\\u0000\"}");
    }
}
