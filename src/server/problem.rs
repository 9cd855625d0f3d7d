//! Errors as RFC 9457 problem documents: one shape for every error the server answers with.

use poem::{
    Response,
    http::{HeaderValue, StatusCode, header},
};

pub use crate::engine::PROBLEM_JSON;

/// An error answer: `{"type": "about:blank", "title", "status", "detail"}`.
pub fn problem(status: StatusCode, detail: &str) -> Response {
    let mut response = Response::builder().status(status).body(body(status, detail));
    let value = HeaderValue::from_static(PROBLEM_JSON);
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}

/// The document alone, for errors that are written without a framework around.
pub(crate) fn body(status: StatusCode, detail: &str) -> String {
    crate::engine::problem_body(status.as_u16(), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_says_what_and_why() {
        let response = problem(StatusCode::NOT_FOUND, "no \"endpoint\"");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()["content-type"], PROBLEM_JSON);
        assert_eq!(
            response.into_body().into_string().await.unwrap(),
            r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"no \"endpoint\""}"#
        );
    }
}
