//! Which endpoint answers is found by an index of paths. It must be what the rule of the language says:
//! endpoints are tried one by one, in file order.

use std::convert::Infallible;

use mock_sse::matching::{self, Match, Miss};
use mock_sse::request::Request;
use mock_sse::scenario::Scenario;
use mock_sse::scenario::load::{Origin, load};
use mock_sse::scenario::model::{Endpoint, Methods};
use mock_sse::spelling::nearest;
use mock_sse::text::percent_decode;
use proptest::prelude::*;

/// How a user may write an endpoint: paths that capture the same, methods, hosts, and whether its
/// condition holds, which is told by its name.
fn endpoint() -> impl Strategy<Value = String> {
    let paths = prop_oneof![
        4 => "/[ab]{0,2}(/[ab]{0,2}){0,2}".prop_map(|path| format!("[{path:?}]")),
        1 => Just(r#"["/a", "/b/a", "/%61/b"]"#.to_owned()),
        1 => Just(r#"["/{x}", "/a/{x}", "/{x}/b"]"#.to_owned()),
        1 => "/[ab]{0,1}\\{x\\}[ab]{0,1}(/[ab]{0,2}){0,1}".prop_map(|path| format!("[{path:?}]")),
        1 => "/[ab]{0,1}\\{x\\}/[ab]{0,1}\\{y\\}".prop_map(|path| format!("[{path:?}]")),
        1 => "(/[ab]{0,2}){0,2}/\\{rest\\.\\.\\.\\}".prop_map(|path| format!("[{path:?}]")),
    ];
    let methods = prop_oneof![Just("[GET]"), Just("[POST]"), Just("[GET, PUT]"), Just("ANY")];
    let host = prop_oneof![
        3 => Just(""),
        1 => Just(", host: one.test"),
        1 => Just(", host: ['*.test', 'two.test:80']"),
    ];
    (paths, methods, host)
        .prop_map(|(paths, methods, host)| format!("{{ path: {paths}, method: {methods}{host}, body: x"))
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let holds = prop_oneof![3 => Just("holds"), 1 => Just("fails")];
    prop::collection::vec((endpoint(), holds), 1..10).prop_map(|endpoints| {
        let line = |(i, (endpoint, holds)): (usize, (String, &str))| {
            format!("  - {endpoint}, name: {holds}{i} }}\n")
        };
        let lines: String = endpoints.into_iter().enumerate().map(line).collect();
        let yaml = format!("endpoints:\n{lines}");
        match load(&Origin::Text(yaml.clone())) {
            Ok((scenario, _)) => scenario,
            Err(errors) => panic!("{yaml}{errors:#?}"),
        }
    })
}

fn request() -> impl Strategy<Value = Request> {
    let path = prop_oneof![
        12 => "/[ab]{0,3}(/[ab]{0,2}){0,3}",
        2 => "/(%61|a|%2F){1,2}(/b){0,1}",
        1 => Just("/%zz".to_owned()),
        1 => Just("*".to_owned()),
    ];
    let method = prop_oneof![3 => Just("GET"), 1 => Just("POST"), 1 => Just("PUT"), 1 => Just("DELETE")];
    let host = prop_oneof![
        Just(None),
        Just(Some("one.test")),
        Just(Some("a.test:80")),
        Just(Some("two.test:80"))
    ];
    (path, method, host).prop_map(|(path, method, host)| {
        let mut request = Request::example(method, &path);
        request
            .headers
            .retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
        request
            .headers
            .extend(host.map(|host| ("host".to_owned(), host.into())));
        request
    })
}

fn holds(endpoint: &Endpoint) -> bool {
    endpoint
        .named
        .name
        .as_ref()
        .is_some_and(|name| name.starts_with("holds"))
}

type Captures = Vec<(String, String)>;

/// What became of a request, in a form that can be compared.
type Outcome = Result<(String, Captures), Miss>;

fn indexed(scenario: &Scenario, request: &Request) -> Outcome {
    let choose = |endpoint: &Endpoint, _: &Captures| Ok::<_, Infallible>(holds(endpoint).then_some(()));
    match matching::find(scenario, &request.method, request, choose) {
        Ok(Match::Found(endpoint, captures, ())) => Ok((endpoint.named.key.clone(), captures)),
        Ok(Match::Missed(miss)) => Err(miss),
    }
}

/// The rule as the language has it, endpoint by endpoint.
struct OneByOne<'a> {
    scenario: &'a Scenario,
    host: Option<String>,
    segments: Vec<String>,
}

impl<'a> OneByOne<'a> {
    fn new(scenario: &'a Scenario, request: &Request, path: &str) -> Option<OneByOne<'a>> {
        let segments = path.split('/').map(|segment| percent_decode(segment, false));
        Some(OneByOne {
            scenario,
            host: request.header_text("host"),
            segments: segments.collect::<Option<_>>()?,
        })
    }

    fn captures(&self, endpoint: &Endpoint) -> Option<Captures> {
        let mut paths = endpoint.paths.iter();
        let captures = paths.find_map(|path| path.matches_segments(&self.segments))?;
        Some(
            captures
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    fn on_path(&self) -> impl Iterator<Item = (&'a Endpoint, Captures)> {
        let endpoints = self.scenario.endpoints.iter();
        let here = endpoints.filter(|endpoint| endpoint.serves_host(self.host.as_deref()));
        here.filter_map(|endpoint| Some((endpoint, self.captures(endpoint)?)))
    }

    fn on_any_host(&self) -> Option<&'a Endpoint> {
        let mut endpoints = self.scenario.endpoints.iter();
        endpoints.find(|endpoint| self.captures(endpoint).is_some())
    }

    fn methods(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for (endpoint, _) in self.on_path() {
            let own: Vec<&str> = match &endpoint.methods {
                Methods::Any => vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
                Methods::Only(list) => {
                    let with_head = |method: &'a String| match method.as_str() {
                        "GET" => vec!["GET", "HEAD"],
                        other => vec![other],
                    };
                    list.iter().flat_map(with_head).collect()
                }
            };
            for method in own {
                if !all.iter().any(|known| known == method) {
                    all.push(method.to_owned());
                }
            }
        }
        all
    }
}

fn one_by_one(scenario: &Scenario, request: &Request) -> Outcome {
    let path = &request.path;
    let rule = OneByOne::new(scenario, request, path).ok_or(Miss::BadPath)?;
    let mut refused = None;
    for (endpoint, captures) in rule.on_path() {
        match endpoint.methods.take(&request.method) {
            true if holds(endpoint) => return Ok((endpoint.named.key.clone(), captures)),
            true => refused = refused.or(Some(matching::describe(endpoint))),
            false => {}
        }
    }
    if let Some(endpoint) = refused {
        return Err(Miss::Condition(endpoint));
    }
    let allowed = rule.methods();
    if !allowed.is_empty() {
        return Err(Miss::Method(allowed));
    }
    if let Some(endpoint) = rule.on_any_host() {
        return Err(Miss::Host(matching::describe(endpoint)));
    }
    let slashed = path
        .strip_suffix('/')
        .map_or_else(|| format!("{path}/"), str::to_owned);
    let but_for_a_slash = OneByOne::new(scenario, request, &slashed).and_then(|rule| rule.on_any_host());
    let sources = || {
        scenario
            .endpoints
            .iter()
            .flat_map(|e| e.paths.iter().map(move |p| (e, p.source())))
    };
    let misspelt = nearest(path, sources().map(|(_, source)| source))
        .and_then(|near| sources().find(|(_, source)| *source == near));
    let near = but_for_a_slash.or(misspelt.map(|(endpoint, _)| endpoint));
    Err(Miss::Path(near.map(matching::describe)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_index_answers_as_endpoints_tried_one_by_one_do(
        scenario in scenario(),
        requests in prop::collection::vec(request(), 1..8),
    ) {
        for request in requests {
            prop_assert_eq!(indexed(&scenario, &request), one_by_one(&scenario, &request), "{:?}", request);
            let Some(rule) = OneByOne::new(&scenario, &request, &request.path) else {
                continue;
            };
            let keys = |all: Vec<&Endpoint>| all.into_iter().map(|e| e.named.key.clone()).collect::<Vec<_>>();
            prop_assert_eq!(
                keys(matching::on_path(&scenario, &request).collect()),
                keys(rule.on_path().map(|(endpoint, _)| endpoint).collect())
            );
            if request.path != "*" {
                prop_assert_eq!(matching::methods(&scenario, &request), rule.methods());
            }
        }
    }
}

/// That the property above has seen each kind of outcome is a matter of chance; here it is not.
#[test]
fn the_first_in_file_order_answers_whatever_shape_its_path_has() {
    let yaml = "
endpoints:
  - { path: '/{x}/b', method: POST, body: x }
  - { path: '/a/{rest...}', host: one.test, body: x }
  - { path: '/{y}/b', body: x, name: holds }
  - { path: /a/b, body: x, name: holds-too }
";
    let (scenario, _) = load(&Origin::Text(yaml.into())).unwrap();
    let ask = |method: &str, path: &str| {
        let mut request = Request::example(method, path);
        request
            .headers
            .retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
        indexed(&scenario, &request)
    };
    let captured = vec![("y".to_owned(), "a".to_owned())];
    assert_eq!(ask("GET", "/a/b"), Ok(("GET /{y}/b#0".into(), captured)));
    assert_eq!(ask("POST", "/a/b"), Err(Miss::Condition("POST /{x}/b".into())));
    assert_eq!(
        ask("PUT", "/c/b"),
        Err(Miss::Method(vec!["POST".into(), "GET".into(), "HEAD".into()]))
    );
    assert_eq!(ask("GET", "/a/c"), Err(Miss::Host("GET /a/{rest...}".into())));
    assert_eq!(ask("GET", "/a"), Err(Miss::Path(Some("GET /a/{rest...}".into()))));
    assert_eq!(ask("GET", "/a/%f"), Err(Miss::BadPath));
}
