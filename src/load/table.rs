//! The report for people: a row a figure.

use std::fmt::{self, Display};

use super::report::{Latency, LoadReport, StreamFigures};

impl Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StreamFigures {
            opened,
            failed,
            ended,
            broken,
            unsettled,
            connections,
            set_up_s,
            connections_per_s,
        } = &self.streams;
        row(f, "target", format_args!("{} ({})", self.url, self.protocol))?;
        row(
            f,
            "streams",
            format_args!("{opened} opened, {failed} failed, {broken} broken, {ended} ended by the server"),
        )?;
        if *unsettled > 0 {
            row(
                f,
                "unsettled",
                format_args!("{unsettled} streams without a warm-up message"),
            )?;
        }
        row(
            f,
            "set-up",
            format_args!("{set_up_s:.3} s, {connections} connections, {connections_per_s:.0}/s"),
        )?;
        if let (Some(server), Some(own)) = (self.cpu.set_up_server_s, self.cpu.set_up_own_s) {
            row(
                f,
                "set-up CPU",
                format_args!("server {server:.2} s, own {own:.2} s"),
            )?;
        }
        if let Some(p) = &self.published {
            let (accepted, failed, rate) = (p.accepted, p.failed, p.messages_per_s);
            row(
                f,
                "published",
                format_args!("{accepted} accepted, {failed} failed, {rate:.1}/s"),
            )?;
        }
        self.write_deliveries(f)?;
        self.write_costs(f)?;
        for (text, count) in &self.problems {
            row(f, "problem", format_args!("{count} × {text}"))?;
        }
        Ok(())
    }
}

impl LoadReport {
    fn write_deliveries(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let d = &self.deliveries;
        let (total, took, rate) = (d.total, d.took_s, d.per_s);
        row(
            f,
            "deliveries",
            format_args!("{total} in {took:.3} s, {rate:.0}/s"),
        )?;
        row(f, "lost", d.lost)?;
        row(f, "duplicated", d.duplicated)?;
        row(f, "out of order", d.out_of_order)?;
        if d.other_events > 0 {
            row(f, "other events", d.other_events)?;
        }
        if let Some(Latency { p50, p99, max, .. }) = self.latency_ms {
            row(
                f,
                "latency",
                format_args!("p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms"),
            )?;
        }
        Ok(())
    }

    fn write_costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, seconds, each) in [
            ("server CPU", self.cpu.server_s, self.cpu.server_us_per_delivery),
            ("own CPU", self.cpu.own_s, self.cpu.own_us_per_delivery),
        ] {
            match (seconds, each) {
                (Some(s), Some(us)) => {
                    row(f, name, format_args!("{s:.2} s, {us:.2} µs per delivery"))?;
                }
                (Some(s), None) => row(f, name, format_args!("{s:.2} s"))?,
                (None, _) => {}
            }
        }
        if let Some(m) = &self.server_memory {
            let (before, open, each) = (m.before_kib, m.open_kib, m.kib_per_stream);
            let after = m.after_kib.map_or(String::new(), |after| format!(" → {after}"));
            row(
                f,
                "server memory",
                format_args!("{each:.2} KiB per stream (PSS {before} → {open}{after} KiB)"),
            )?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "{name:<14} {value}")
}
