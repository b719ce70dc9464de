//! Findings and measures, and how they are shown.

use std::fmt::Write;

/// The number that stands for all findings.
pub(crate) const ALL: usize = usize::MAX;

/// Something that is wrong, and where. Line 0 stands for the whole file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    text: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, text: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, text: text.into() }
    }
}

/// A figure with its goal, and the findings behind it.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    name: String,
    figure: String,
    goal: String,
    reached: bool,
    findings: Vec<Finding>,
}

impl Measure {
    /// A share of findings in percent of all, which may be at most `most`.
    pub(crate) fn share(name: &str, findings: Vec<Finding>, total: usize, most: f64) -> Measure {
        #[expect(clippy::cast_precision_loss, reason = "counts of findings are small")]
        let percent = 100.0 * findings.len() as f64 / total.max(1) as f64;
        Measure {
            name: name.to_owned(),
            figure: format!("{percent:.2} % ({} of {total})", findings.len()),
            goal: format!("at most {most:.2} %"),
            reached: percent <= most,
            findings,
        }
    }

    /// A number of findings, which has to be 0.
    pub(crate) fn none(name: &str, findings: Vec<Finding>) -> Measure {
        let count = findings.len();
        Measure { name: name.to_owned(), figure: count.to_string(), goal: "0".into(), reached: count == 0, findings }
    }

    /// A number of findings that should become 0, and fails no check until then.
    pub(crate) fn reported(name: &str, findings: Vec<Finding>) -> Measure {
        Measure { reached: true, goal: "0, only reported".into(), ..Measure::none(name, findings) }
    }

    /// A number that may be at most `most`.
    pub(crate) fn at_most(name: &str, figure: usize, most: usize) -> Measure {
        let (figure, goal, reached) = (figure.to_string(), format!("at most {most}"), figure <= most);
        Measure { name: name.to_owned(), figure, goal, reached, findings: vec![] }
    }

    /// A command that has to succeed. It shows its own findings.
    pub(crate) fn command(name: &str, result: &anyhow::Result<()>) -> Measure {
        let (figure, reached) = match result {
            Ok(()) => ("passed".to_owned(), true),
            Err(_) => ("failed, see above".to_owned(), false),
        };
        Measure { name: name.to_owned(), figure, goal: "passed".into(), reached, findings: vec![] }
    }

    /// True when the goal is reached.
    pub(crate) fn is_reached(&self) -> bool {
        self.reached
    }

    /// The findings, at most `most` of them. Nothing when the goal is reached, unless all findings are asked for.
    pub(crate) fn show_findings(&self, most: usize) -> String {
        let mut out = String::new();
        if (self.reached && most != ALL) || self.findings.is_empty() {
            return out;
        }
        let _ = writeln!(out, "── {}: {}", self.name, self.figure);
        for Finding { path, line, text } in self.findings.iter().take(most) {
            let place = if *line == 0 { path.clone() } else { format!("{path}:{line}") };
            let _ = writeln!(out, "  {place}: {text}");
        }
        if self.findings.len() > most {
            let _ = writeln!(out, "  … and {} more: `cargo xtask check --all` lists them", self.findings.len() - most);
        }
        out
    }

    /// One line: the figure and its goal.
    pub(crate) fn line(&self) -> String {
        let word = if self.reached { "ok  " } else { "FAIL" };
        format!("{word}  {:<42}{:<26}goal: {}", self.name, self.figure, self.goal)
    }

    /// Everything, for tests.
    #[cfg(test)]
    pub(crate) fn describe(&self) -> String {
        let mut out = format!("{}: {}, goal: {}\n", self.name, self.figure, self.goal);
        for Finding { path, line, text } in &self.findings {
            let _ = writeln!(out, "  {path}:{line}: {text}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn findings_are_cut_unless_all_are_wanted() {
        let findings = (1..=3).map(|line| Finding::new("a.md", line, "wrong")).collect();
        let measure = Measure::share("a measure", findings, 400, 0.3);
        expect![[r"
            ── a measure: 0.75 % (3 of 400)
              a.md:1: wrong
              a.md:2: wrong
              … and 1 more: `cargo xtask check --all` lists them
        "]]
        .assert_eq(&measure.show_findings(2));
        assert_eq!(measure.show_findings(9).lines().count(), 4);
        assert_eq!(
            measure.line(),
            "FAIL  a measure                                 0.75 % (3 of 400)         goal: at most 0.30 %"
        );
    }

    #[test]
    fn a_reached_goal_shows_its_line_only() {
        let measure = Measure::share("a measure", vec![Finding::new("a.md", 1, "wrong")], 1000, 0.3);
        assert!(measure.is_reached());
        assert_eq!(measure.show_findings(20), "");
        assert!(!Measure::none("another", vec![Finding::new("a.md", 0, "wrong")]).is_reached());
        let reported = Measure::reported("a third", vec![Finding::new("a.md", 0, "wrong")]);
        assert!(reported.is_reached());
        assert_eq!(reported.show_findings(20), "");
        assert_eq!(reported.show_findings(ALL), "── a third: 1\n  a.md: wrong\n");
    }
}
