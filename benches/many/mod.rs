//! Scenarios with as many endpoints as one likes: streams with templates, relays with captured parts, cases,
//! conditions, attempts, hosts; none shadows another.
#![allow(dead_code, reason = "each bench uses its own part of this")]

/// A scenario of `count` endpoints, as a user writes it.
pub fn scenario(count: usize) -> String {
    let head = "seed: 7\nvars: { currency: EUR }\ndefaults: { event: message, id: uuid, retry: 2s }\n\
                topics:\n  rooms/{n}/{room}: { history: 50 }\nendpoints:\n";
    (0..count).fold(head.to_owned(), |yaml, n| yaml + &endpoint(n))
}

/// A path that the `n`th endpoint of such a scenario takes.
pub fn path(n: usize) -> String {
    match n % 8 {
        1 | 2 => format!("/api/v{}/rooms-{n}/tea", n % 3),
        _ => format!("/api/v{}/things-{n}", n % 3),
    }
}

/// The method that goes with it.
pub fn method(n: usize) -> &'static str {
    match n % 8 {
        2 | 3 => "POST",
        _ => "GET",
    }
}

fn endpoint(n: usize) -> String {
    let version = n % 3;
    match n % 8 {
        0 => format!(
            r#"  - path: /api/v{version}/things-{n}
    heartbeat: 15s
    stream:
      - {{ event: hello, data: {{ n: {n}, at: "{{{{ now }}}}", for: "{{{{ request.query.user | default('somebody') }}}}" }} }}
      - {{ every: 1s, data: {{ seq: "{{{{ seq }}}}", price: "{{{{ random_int(100, 200) }}}}", in: "{{{{ vars.currency }}}}" }} }}
"#
        ),
        1 => format!(
            r#"  - path: /api/v{version}/rooms-{n}/{{room}}
    stream:
      - {{ event: joined, data: "{{{{ room }}}} of {n}" }}
      - follow: rooms/{n}/{{{{ room }}}}
"#
        ),
        2 => format!(
            r#"  - path: /api/v{version}/rooms-{n}/{{room}}
    method: POST
    publish: {{ topic: "rooms/{n}/{{{{ room }}}}", event: said, data: {{ text: "{{{{ request.body }}}}", in: "{{{{ room | upper }}}}" }} }}
    status: 202
"#
        ),
        3 => format!(
            r#"  - path: /api/v{version}/things-{n}
    method: [POST, PUT]
    cases:
      - {{ when: request.json.text, status: 201, json: {{ id: {n}, text: "{{{{ request.json.text }}}}" }} }}
      - {{ status: 422, json: {{ error: say something }} }}
"#
        ),
        4 => format!(
            r#"  - path: /api/v{version}/things-{n}
    when: request.query.kind != "other"
    headers: {{ x-thing: "{n}" }}
    json: {{ id: {n}, name: thing {n}, tags: [a, b, c], attempt: "{{{{ attempt }}}}" }}
"#
        ),
        5 => format!(
            r#"  - path: /api/v{version}/things-{n}
    attempts:
      - {{ status: 503, headers: {{ retry-after: "1" }} }}
      - stream: [ {{ data: first }}, {{ end: reset }} ]
      - stream: [ {{ data: "at last, {{{{ attempt }}}}" }}, {{ repeat: {{ times: 3, steps: [ {{ data: more, after: 1s }} ] }} }} ]
"#
        ),
        6 => format!(
            r#"  - path: [/api/v{version}/things-{n}, /old/things-{n}]
    method: ANY
    body: "thing {n} for {{{{ request.method }}}}"
"#
        ),
        _ => format!(
            r#"  - path: /api/v{version}/things-{n}
    host: ["*.example.com", localhost, 127.0.0.1]
    stream:
      - for_each: {{ in: [red, green, blue], as: colour, steps: [ {{ data: "{{{{ colour }}}} {{{{ seq }}}}", after: 10ms }} ] }}
"#
        ),
    }
}
