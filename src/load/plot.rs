//! The report as a picture: how long deliveries took, and how many came when.

use std::fmt::Write as _;

use super::report::{Latency, LoadReport};
use crate::play::svg::escaped;

/// Pixels: both plots are as wide, and stand one above the other.
const LEFT: f64 = 90.0;
const RIGHT: f64 = 960.0;
const HEIGHT: f64 = 220.0;
const LATENCY_TOP: f64 = 100.0;
const PACE_TOP: f64 = 420.0;
const WHOLE: f64 = 680.0;

const GREEN: &str = "#2a7f3f";
const BLUE: &str = "#1f7f9f";

/// Draws a report.
pub fn svg(report: &LoadReport) -> String {
    let mut out = String::new();
    let title = format!("{} ({})", report.url, report.protocol);
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1000\" height=\"{WHOLE}\" \
         viewBox=\"0 0 1000 {WHOLE}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"1000\" height=\"{WHOLE}\" fill=\"#fff\"/>\n\
         <text x=\"16\" y=\"24\" font-size=\"15\">{}</text>",
        escaped(&title)
    );
    for (at, line) in caption(report).iter().enumerate() {
        let y = 44 + 16 * at;
        let _ = writeln!(out, "<text x=\"16\" y=\"{y}\" fill=\"#444\">{line}</text>");
    }
    latency(&mut out, &report.curves.latency_ms, report.latency_ms.as_ref());
    pace(&mut out, &report.curves.deliveries_per_s);
    out += "</svg>\n";
    out
}

fn caption(report: &LoadReport) -> [String; 2] {
    let deliveries = &report.deliveries;
    let mut what = format!("{} streams", grouped(report.streams.opened));
    if let Some(published) = &report.published {
        let _ = write!(what, ", {} messages", grouped(published.accepted));
    }
    let _ = write!(
        what,
        ": {} deliveries in {:.2} s ({}/s); {} lost, {} duplicated, {} out of order",
        grouped(deliveries.total),
        deliveries.took_s,
        grouped(deliveries.per_s as u64),
        grouped(deliveries.lost),
        grouped(deliveries.duplicated),
        grouped(deliveries.out_of_order)
    );
    let mut costs = Vec::new();
    for (who, each) in [
        ("server", report.cpu.server_us_per_delivery),
        ("client", report.cpu.own_us_per_delivery),
    ] {
        costs.extend(each.map(|us| format!("{who} {us:.2} µs of CPU a delivery")));
    }
    if let Some(memory) = &report.server_memory {
        costs.push(format!("server {:.2} KiB a stream", memory.kib_per_stream));
    }
    [what, costs.join("; ")]
}

/// Percentiles: to the right ever rarer ones, upwards ever longer times.
fn latency(out: &mut String, curve: &[(f64, f64)], figures: Option<&Latency>) {
    let rows = |y: f64| LATENCY_TOP + HEIGHT - y * HEIGHT;
    heading(
        out,
        LATENCY_TOP,
        "From publishing to receipt, in ms, by percentile",
    );
    let (Some(first), Some(last), Some(figures)) = (curve.first(), curve.last(), figures) else {
        return nothing(out, LATENCY_TOP);
    };
    // 90 % → 1, 99 % → 2, 99.9 % → 3
    let rarity = |percent: f64| -(1.0 - percent / 100.0).max(1e-12).log10();
    let rarest = rarity(last.0).max(1.0);
    let x = |percent: f64| LEFT + (RIGHT - LEFT) * (rarity(percent) / rarest).min(1.0);
    let low = first.1.max(1e-3).log10().floor();
    let high = last.1.max(1e-3).log10().ceil().max(low + 1.0);
    let y = |ms: f64| rows((ms.max(1e-3).log10() - low) / (high - low));
    for decade in low as i32..=high as i32 {
        for (digit, colour) in [(1.0, "#ccc"), (2.0, "#eee"), (5.0, "#eee")] {
            let ms = digit * 10f64.powi(decade);
            if ms <= 10f64.powf(high) * 1.001 {
                level(out, y(ms), colour, (digit == 1.0).then(|| plain(ms)));
            }
        }
    }
    let named = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999, 99.99999];
    for percent in named.into_iter().filter(|p| rarity(*p) <= rarest + 1e-9) {
        tick(out, x(percent), LATENCY_TOP, &format!("{}%", plain(percent)));
    }
    line(
        out,
        curve.iter().map(|(percent, ms)| (x(*percent), y(*ms))),
        GREEN,
    );
    for (name, percent, ms) in [
        ("p50", 50.0, figures.p50),
        ("p99", 99.0, figures.p99),
        ("max", 100.0, figures.max),
    ] {
        mark(out, x(percent), y(ms), &format!("{name} {}", plain(ms)));
    }
}

/// Deliveries a second, from the first message on.
fn pace(out: &mut String, curve: &[(f64, f64)]) {
    heading(
        out,
        PACE_TOP,
        "Deliveries a second, by seconds since the first message",
    );
    let (Some((end, _)), true) = (curve.last(), curve.iter().any(|(_, count)| *count > 0.0)) else {
        return nothing(out, PACE_TOP);
    };
    let highest = curve.iter().map(|(_, count)| *count).fold(0.0, f64::max);
    let (step, time_step) = (round_step(highest / 5.0), round_step(end / 8.0));
    let top = (highest / step).ceil() * step;
    let x = |seconds: f64| LEFT + (RIGHT - LEFT) * seconds / end.max(1e-9);
    let y = |count: f64| PACE_TOP + HEIGHT * (1.0 - count / top);
    for at in 0..=(top / step).round() as u32 {
        let count = f64::from(at) * step;
        level(out, y(count), "#ccc", Some(grouped(count as u64)));
    }
    for at in 0..=(end / time_step) as u32 {
        let seconds = f64::from(at) * time_step;
        tick(out, x(seconds), PACE_TOP, &format!("{} s", plain(seconds)));
    }
    line(
        out,
        curve.iter().map(|(seconds, count)| (x(*seconds), y(*count))),
        BLUE,
    );
}

fn heading(out: &mut String, top: f64, text: &str) {
    let _ = writeln!(out, "<text x=\"{LEFT}\" y=\"{}\">{text}</text>", top - 12.0);
}

fn nothing(out: &mut String, top: f64) {
    let (x, y) = ((LEFT + RIGHT) / 2.0, top + HEIGHT / 2.0);
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#888\">nothing was measured</text>"
    );
}

/// A line across, with what it stands for.
fn level(out: &mut String, y: f64, colour: &str, label: Option<String>) {
    let _ = writeln!(out, "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"{colour}\"/>");
    if let Some(label) = label {
        let (x, y) = (LEFT - 8.0, y + 4.0);
        let _ = writeln!(
            out,
            "<text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\" fill=\"#444\">{label}</text>"
        );
    }
}

/// A place on the axis below.
fn tick(out: &mut String, x: f64, top: f64, label: &str) {
    let bottom = top + HEIGHT;
    let _ = writeln!(
        out,
        "<path d=\"M{x:.1} {top}V{:.1}\" stroke=\"#ddd\"/>\
         <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#444\">{label}</text>",
        bottom + 5.0,
        bottom + 19.0
    );
}

fn line(out: &mut String, points: impl Iterator<Item = (f64, f64)>, colour: &str) {
    let places: Vec<String> = points.map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    let _ = writeln!(
        out,
        "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
        places.join("L")
    );
}

/// A point of the curve, with what it is beside it.
fn mark(out: &mut String, x: f64, y: f64, label: &str) {
    let (at, anchor) = match x < LEFT + 100.0 {
        true => (x + 8.0, "start"),
        false => (x - 8.0, "end"),
    };
    let _ = writeln!(
        out,
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{GREEN}\"/>\
         <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"{GREEN}\">{label}</text>",
        y + if anchor == "end" { -8.0 } else { 16.0 }
    );
}

/// At least this, and round: 1, 2 or 5 with zeros.
fn round_step(least: f64) -> f64 {
    let decade = 10f64.powf(least.max(1e-6).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * decade);
    steps
        .into_iter()
        .find(|step| *step >= least * 0.999)
        .unwrap_or(decade * 10.0)
}

/// Three digits that count, without zeros behind them: `0.05`, `1.5`, `12.3`, `99.99`, `1,234`.
fn plain(value: f64) -> String {
    if value >= 1000.0 {
        return grouped(value.round() as u64);
    }
    let places = match value {
        v if (99.0..100.0).contains(&v) => 5,
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 4,
    };
    let text = format!("{value:.places$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// `1,234,567`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        for (value, text) in [
            (0.0, "0"),
            (0.05, "0.05"),
            (1.5, "1.5"),
            (12.34, "12.3"),
            (50.0, "50"),
            (99.9, "99.9"),
            (99.999, "99.999"),
            (123.4, "123"),
            (1234.5, "1,235"),
        ] {
            assert_eq!(plain(value), text);
        }
        for (least, step) in [
            (0.9, 1.0),
            (1.0, 1.0),
            (1.1, 2.0),
            (23.0, 50.0),
            (7000.0, 10_000.0),
        ] {
            assert!((round_step(least) - step).abs() < 1e-9, "{least}");
        }
    }

    #[test]
    fn a_run_without_deliveries_has_a_picture_too() {
        let picture = svg(&LoadReport {
            url: "http://a/?b&c".to_owned(),
            ..LoadReport::default()
        });
        assert!(picture.contains("http://a/?b&amp;c"));
        assert_eq!(picture.matches("nothing was measured").count(), 2);
        assert!(picture.ends_with("</svg>\n"));
    }
}
