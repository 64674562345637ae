//! The table.

use std::fmt::Write;

use super::load::{Figures, Row};

/// One figure that is not throughput.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

/// Everything measured in one run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    cells: Vec<(&'static str, Row, Figures, f64)>,
    figures: Vec<Figure>,
    skipped: Vec<String>,
}

impl Report {
    pub(crate) fn add(
        &mut self,
        system: &'static str,
        row: Row,
        figures: &Figures,
        cpu_seconds: f64,
    ) {
        let cpu_us = cpu_seconds * 1e6 / figures.operations.max(1) as f64;
        self.cells.push((system, row, *figures, cpu_us));
    }

    pub(crate) fn figures(&mut self, figures: Result<Vec<Figure>, String>) {
        match figures {
            Ok(figures) => self.figures.extend(figures),
            Err(why) => self.skipped(why),
        }
    }

    pub(crate) fn skipped(&mut self, why: String) {
        self.skipped.push(why);
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from(
            "| work | system | operations/s | p50 ms | p99 ms | server CPU us/op |\n\
             |---|---|---:|---:|---:|---:|\n",
        );
        for row in super::ROWS {
            for (system, _, figures, cpu_us) in
                self.cells.iter().filter(|(_, cell, ..)| cell.name == row.name)
            {
                let ms = |us: u64| us as f64 / 1000.0;
                let _ = writeln!(
                    text,
                    "| {} | {system} | {:.0} | {:.2} | {:.2} | {cpu_us:.1} |",
                    row.name,
                    figures.per_second,
                    ms(figures.p50_us),
                    ms(figures.p99_us),
                );
            }
        }
        if !self.figures.is_empty() {
            text += "\n| IronKV | measured |\n|---|---:|\n";
        }
        for figure in &self.figures {
            let _ = writeln!(text, "| {} | {} |", figure.name, figure.value);
        }
        for why in &self.skipped {
            let _ = writeln!(text, "\nnot measured: {why}");
        }
        text
    }
}
