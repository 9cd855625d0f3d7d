//! Which endpoint answers, among ever more of them: the last one that could, and a request that none takes.
//!
//! `cargo bench --bench matching`

mod many;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mock_sse::matching::{self, Match};
use mock_sse::request::Request;
use mock_sse::scenario::load::{Origin, load};

fn matching_among(c: &mut Criterion) {
    let mut group = c.benchmark_group("matching");
    for count in [10, 100, 1000] {
        let (scenario, _) = load(&Origin::Text(many::scenario(count))).expect("a valid scenario");
        let find = |request: &Request| {
            let chosen = |_: &_, _: &_| Ok::<_, ()>(Some(()));
            matches!(
                matching::find(&scenario, &request.method, request, chosen),
                Ok(Match::Found(..))
            )
        };
        for (name, kind) in [
            ("exact path", 0),
            ("captured part", 1),
            ("path of two methods", 3),
        ] {
            let last = (0..count).rev().find(|n| n % 8 == kind).unwrap_or(kind);
            let request = Request::example(many::method(last), &many::path(last));
            assert!(find(&request), "{request:?}");
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter(|| find(black_box(&request)))
            });
        }
        let nowhere = Request::example("GET", "/nowhere/near/any/of/them");
        group.bench_function(BenchmarkId::new("nothing there", count), |b| {
            b.iter(|| find(black_box(&nowhere)))
        });
    }
    group.finish();
}

criterion_group!(benches, matching_among);
criterion_main!(benches);
