//! Reading the bodies of requests: bounded in size, in time, and all together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::{BodyExt, combinators::BoxBody};
use poem::Body;
use tokio::time::timeout;

use super::session::Refusal;

/// Bytes of large bodies on their way, of all requests together. Beyond it, large ones are refused.
const TOGETHER: usize = 256 << 20;
/// A body up to here is never refused on account of others.
const SMALL: usize = 64 << 10;

/// What bodies may be like.
#[derive(Debug, Clone)]
pub(super) struct Intake {
    /// The largest one in bytes.
    pub(super) most: usize,
    /// How long one may take.
    pub(super) longest: Duration,
    on_the_way: Arc<AtomicUsize>,
}

impl Intake {
    pub(super) fn new(most: usize, longest: Duration) -> Intake {
        Intake {
            most,
            longest,
            on_the_way: Arc::default(),
        }
    }

    /// A body, whole; or what its sender is to be told.
    pub(super) async fn read(&self, body: Body) -> Result<Bytes, Refusal> {
        let body: BoxBody<Bytes, std::io::Error> = body.into();
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        // Nobody need send what is announced as too large.
        if body.size_hint().lower() > self.most as u64 {
            return Err(self.too_large());
        }
        match timeout(self.longest, self.collect(body)).await {
            Ok(read) => read,
            Err(_) => Err((408, self.too_slow())),
        }
    }

    /// What comes is copied: a slice of hyper's buffer would pin all of it.
    async fn collect(&self, mut body: BoxBody<Bytes, std::io::Error>) -> Result<Bytes, Refusal> {
        let mut data = BytesMut::new();
        let mut share = Share::new(&self.on_the_way);
        while let Some(frame) = body.frame().await {
            let broken = |error| (400, format!("the body could not be read: {error}"));
            let Ok(piece) = frame.map_err(broken)?.into_data() else {
                continue; // trailers
            };
            let size = data.len() + piece.len();
            if size > self.most {
                return Err(self.too_large());
            }
            if size > SMALL && !share.grow_to(size) {
                let detail = "too many large bodies are on their way: try again later";
                return Err((503, detail.into()));
            }
            data.extend_from_slice(&piece);
        }
        Ok(data.freeze())
    }

    fn too_large(&self) -> Refusal {
        let detail = format!("the body is larger than {} bytes (see --max-body)", self.most);
        (413, detail)
    }

    fn too_slow(&self) -> String {
        let time = crate::scenario::duration::format(self.longest);
        format!("the body did not come within {time} (see --body-timeout)")
    }
}

/// What one body takes of the room for all.
struct Share<'a> {
    all: &'a AtomicUsize,
    own: usize,
}

impl Share<'_> {
    fn new(all: &AtomicUsize) -> Share<'_> {
        Share { all, own: 0 }
    }

    /// Takes as much as is missing; false if there is no room for it.
    fn grow_to(&mut self, size: usize) -> bool {
        let more = size.saturating_sub(self.own);
        self.own += more;
        self.all.fetch_add(more, Relaxed) + more <= TOGETHER
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.own, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_share_a_room_and_give_it_back() {
        let all = AtomicUsize::new(0);
        let mut first = Share::new(&all);
        assert!(first.grow_to(TOGETHER - 10) && first.grow_to(TOGETHER - 5));
        let mut second = Share::new(&all);
        assert!(second.grow_to(5));
        assert!(!second.grow_to(6));
        drop((first, second));
        assert_eq!(all.load(Relaxed), 0);
    }
}
