//! What of an answer a poem response cannot carry: the exact head, the framing, no answer at all.

use poem::Response;

use crate::{engine::Head, wire::Framing};

/// Put into a response's extensions beside a [`StreamSpec`](super::StreamSpec), it says byte for byte
/// what an HTTP/1.x client gets. Only the status of the response counts then, and whether it has a body.
///
/// Over HTTP/2 the response's own head stands; of this only `close_notify`, a missing head and the
/// fields that are to be missing (`date`, `content-length`) count.
#[derive(Debug, Clone)]
pub struct Exact {
    /// The head; `None`: no answer, not even a head.
    pub head: Option<Head>,
    /// How the body is framed; `None`: as it suits head and body.
    pub framing: Option<Framing>,
    /// The length of the body in bytes, announced unless the head says something about it.
    pub content_length: Option<u64>,
    /// Whether an encrypted connection that ends with this answer ends with close_notify. If not, it
    /// ends with this answer.
    pub close_notify: bool,
}

impl Exact {
    /// No answer.
    pub fn nothing() -> Exact {
        Exact {
            head: None,
            framing: None,
            content_length: None,
            close_notify: true,
        }
    }

    /// The head of a response, framed as it suits.
    pub(crate) fn of(response: &Response) -> Exact {
        let mut head = Head::new(response.status().as_u16(), None);
        for (name, value) in response.headers() {
            head.push(name.as_str(), value);
        }
        Exact {
            head: Some(head),
            ..Exact::nothing()
        }
    }

    /// Whether anything here would get lost in hyper, which writes names in lower case, equal ones
    /// together, fields of its own behind them, and makes up a reason phrase where there is none.
    pub(crate) fn is_needed(&self) -> bool {
        let Some(head) = &self.head else { return true };
        // The fields that hyper or the service would see to.
        let mut own = CONNECTION_SPECIFIC.iter().chain(&["content-length", "date"]);
        let dictated = head.reason.is_some() || head.raw.is_some();
        let nameless = http::StatusCode::from_u16(head.status).is_ok_and(|s| s.canonical_reason().is_none());
        dictated
            || nameless
            || self.framing.is_some()
            || !self.close_notify
            || own.any(|name| head.decides(name))
            || head
                .headers
                .iter()
                .any(|(n, _)| n.bytes().any(|b| b.is_ascii_uppercase()))
            || regroups(head)
    }

    /// Whether the head leaves a field out.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        self.head.as_ref().is_none_or(|head| head.lacks(name))
    }
}

/// What HTTP/2 forbids (RFC 9113 §8.2.2).
pub(crate) const CONNECTION_SPECIFIC: [&str; 5] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// Whether equal names stand apart.
fn regroups(head: &Head) -> bool {
    let names: Vec<&str> = head.headers.iter().map(|(name, _)| name.as_str()).collect();
    let apart = |(at, name)| at > 0 && names[at - 1] != name && names[..at].contains(&name);
    names.iter().copied().enumerate().any(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_hyper_would_alter_needs_our_hand() {
        let check = |fields: &[&str], without: &[&str], expected: bool| {
            let mut head = Head::new(200, None);
            fields.iter().for_each(|name| head.push(name, "v"));
            head.without = without.iter().map(ToString::to_string).collect();
            let exact = Exact {
                head: Some(head),
                ..Exact::nothing()
            };
            assert_eq!(exact.is_needed(), expected, "{fields:?} {without:?}");
        };
        check(&["a", "b", "b", "c"], &["vary"], false);
        check(&["a", "b", "a"], &[], true);
        check(&["a", "B"], &[], true);
        check(&["connection"], &[], true);
        check(&["keep-alive"], &[], true);
        check(&[], &["Date"], true);
        assert!(Exact::nothing().is_needed());
    }
}
