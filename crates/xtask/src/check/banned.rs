//! The words that this project does not use, each with the word that it uses instead. Data only: `words.rs` applies it.
//!
//! An entry has one or more forms. A form stands for whole words, in any case; a `*` at its beginning or end stands for
//! further letters, digits and underscores. An entry that allows its word in two places is
//! `Banned { allowed: (2, "the reason"), ..word(&["form"], "instead") }`: the lint fails at the third place.

/// A word and its replacement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Banned {
    /// The forms of the word.
    pub(crate) forms: &'static [&'static str],
    /// The word that is used instead.
    pub(crate) instead: &'static str,
    /// Where the word is looked for.
    pub(crate) place: Place,
    /// How many places may have it all the same, and why.
    pub(crate) allowed: (usize, &'static str),
}

/// Where a word is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In every text file, code and data included.
    Anywhere,
    /// In comments, docstrings and Markdown, outside code.
    Prose,
}

/// A name that users met before the vocabulary changed.
const fn name(forms: &'static [&'static str], instead: &'static str) -> Banned {
    Banned { forms, instead, place: Place::Anywhere, allowed: (0, "") }
}

/// A word of prose.
const fn word(forms: &'static [&'static str], instead: &'static str) -> Banned {
    Banned { forms, instead, place: Place::Prose, allowed: (0, "") }
}

/// The files in which old names may stand: the list of the renames.
pub(crate) const MAY_NAME_THEM: &[&str] = &["CHANGELOG.md"];

/// All banned words.
pub(crate) const BANNED: &[Banned] = &[
    // Documents and flags.
    name(&["drift: mend", "drift\": \"mend", "--drift mend", "--drift=mend"], "correct"),
    name(&["drift: alert", "drift\": \"alert", "--drift alert", "--drift=alert"], "warn"),
    name(&["drift: observe", "drift\": \"observe", "--drift observe", "--drift=observe"], "ignore"),
    name(&["orphans-every", "orphans_every"], "full-scan-every"),
    name(&["--origin"], "--source"),
    name(&["HOLDFAST_ORIGIN"], "HOLDFAST_SOURCE"),
    // Tags.
    Banned {
        allowed: (4, "earlier builds wrote this tag, and Holdfast still reads it"),
        ..name(&["holdfast:origin"], "holdfast:source")
    },
    Banned {
        allowed: (5, "earlier builds wrote this tag, and Holdfast still reads it"),
        ..name(&["holdfast:asked"], "holdfast:requested")
    },
    // Metrics and JSON.
    name(&["*drift_mended*"], "holdfast_drift_corrected_total"),
    name(&["holdfast_remarks"], "holdfast_conditions"),
    name(&["remark", "remarks"], "condition, conditions"),
    name(&["holdfast_document_usable"], "holdfast_config_last_reload_successful"),
    name(&["holdfast_document_reloads*"], "holdfast_config_reloads_total"),
    name(&["holdfast_aws_budget_waits*"], "holdfast_aws_rate_limiter_waits_total"),
    name(&["holdfast_aws_budget_waited*"], "holdfast_aws_rate_limiter_wait_seconds_total"),
    name(
        &["holdfast_last_converged_pass_age*"],
        "time() - holdfast_last_converged_pass_timestamp_seconds, which needs no metric of its own",
    ),
    // Reasons of holds. Scheduled, Expression and Failed are renamed too, but have other uses that are right.
    name(&["\"Settling\"", "`Settling`"], "Propagating"),
    name(&["\"Unobserved\"", "`Unobserved`"], "ObservationFailed"),
    name(&["WaitsFor"], "DependencyNotReady"),
    name(&["NameTaken"], "AlreadyExists"),
    name(&["AmbiguousCreate"], "CreateUnconfirmed"),
    name(&["DriftLeft"], "DriftIgnored"),
    name(&["OtherOrigin"], "SourceConflict"),
    name(&["NamedReplacement"], "ReplaceNameConflict"),
    name(&["TooManyDeletions"], "DeletionLimitExceeded"),
    name(&["PruneNotGranted"], "PruneNotAllowed"),
    name(&["ReplaceNotGranted"], "ReplaceNotAllowed"),
    // Software and its knowledge.
    word(&["told", "untold"], "known, reported, from the response, confirmed"),
    word(&["looked at", "looks at"], "observes, reads"),
    word(
        &[
            "a look",
            "one look",
            "another look",
            "first look",
            "next look",
            "last look",
            "each look",
            "every look",
            "the look",
        ],
        "an observation",
    ),
    word(&["sweep", "sweeps", "swept", "sweeping"], "an observation of everything, a refresh"),
    word(&["in sight", "out of sight"], "observed, not observed"),
    word(&["patience"], "a timeout"),
    word(&["wish", "wishes", "wished"], "a request, the desired state"),
    word(&["deed", "deeds"], "an operation, a change"),
    word(&["in vain"], "without effect, failed"),
    word(&["at work"], "in progress, running"),
    // Changes.
    Banned {
        allowed: (2, "tests/sandbox/README.md says that the code calls a correction of the emulator a mend"),
        ..word(&["mend", "mends", "mended", "mending"], "correct, fix, repair")
    },
    word(&["anew"], "again, a second time"),
    word(&["settle", "settles", "settled", "settling"], "propagate, become consistent, resolve"),
    word(&["fight", "fights", "fought"], "conflicting writers, flapping"),
    // Existence.
    word(&["gone"], "deleted, absent, no longer exists"),
    word(&["doomed"], "to be deleted"),
    word(&["spared"], "kept, retained"),
    word(&["on its way out", "on their way out"], "being deleted"),
    word(&["to be had"], "available"),
    word(&["is not there", "are not there"], "does not exist"),
    word(&["twin", "twins"], "a duplicate"),
    // People, and software that is none.
    word(&["whom"], "the noun: the principal, the resource"),
    word(&["somebody", "someone"], "a person, a principal, another process, out of band"),
    word(&["nobody", "no one"], "no person, no principal, no resource"),
    word(&["needless", "needlessly"], "redundant, unnecessary"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_entry_is_complete_and_no_form_is_listed_twice() {
        let mut seen = BTreeSet::new();
        for entry in BANNED {
            let (most, reason) = entry.allowed;
            assert!(!entry.instead.is_empty(), "{:?} has no replacement", entry.forms);
            assert_eq!(most == 0, reason.is_empty(), "{:?}: an exception has a number and a reason", entry.forms);
            for form in entry.forms {
                assert!(seen.insert(form.to_ascii_lowercase()), "{form} is listed twice");
            }
        }
    }
}
