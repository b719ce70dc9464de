//! Rules: which calls, and what happens to them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
pub use hyper::body::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::journal::Call;
use crate::holdfast::Victim;

/// An effect, and the calls that suffer it.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Which calls.
    pub matches: Match,
    /// What happens to them.
    pub effect: Effect,
}

impl Rule {
    /// The rule that does `effect` to the calls that match.
    pub fn new(matches: Match, effect: Effect) -> Rule {
        Rule { matches, effect }
    }
}

/// Which calls a rule is for. All that is given must hold; `nth` then counts the calls for which it does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    /// The name the service signs with, as a pattern: `ec2`, `elasticloadbalancing`, `monitoring`.
    pub service: Option<String>,
    /// The region whose endpoint it goes to. Never that of a service with one endpoint for the whole world.
    pub region: Option<String>,
    /// The operation, as a pattern: `Create*`, `GET */rrset`.
    pub operation: Option<String>,
    /// Only calls that change something, or only calls that do not.
    pub mutating: Option<bool>,
    /// Which of the calls that fit.
    pub nth: Nth,
}

/// The services with one endpoint for the whole world.
const GLOBAL: &[&str] = &["budgets", "cloudfront", "iam", "route53"];

impl Match {
    /// Every call.
    pub fn all() -> Match {
        Match::default()
    }

    /// The calls named by a pattern of `service.Operation`, as [`Call::name`] writes it: `ec2.Create*`, `ecs.*`.
    /// A star stands for any text; without one the name has to be equal.
    pub fn calls(pattern: &str) -> Match {
        let (service, operation) = pattern.split_once('.').unwrap_or((pattern, "*"));
        Match { service: Some(service.to_owned()), operation: Some(operation.to_owned()), ..Match::default() }
    }

    /// The calls that a region answers, as if it were gone. An emulator's endpoint is one for all, so the calls to
    /// Route 53, IAM and the like are signed for the home region there; AWS answers them elsewhere.
    pub fn region(region: &str) -> Match {
        Match { region: Some(region.to_owned()), ..Match::default() }
    }

    /// The calls that change something.
    pub fn changes() -> Match {
        Match { mutating: Some(true), ..Match::default() }
    }

    /// The calls that only read.
    pub fn reads() -> Match {
        Match { mutating: Some(false), ..Match::default() }
    }

    /// Of those only the `n`th, counted from 1.
    pub fn only(self, n: u64) -> Match {
        Match { nth: Nth::Only(n), ..self }
    }

    /// Of those the `n`th and all after it.
    pub fn from(self, n: u64) -> Match {
        Match { nth: Nth::From(n), ..self }
    }

    /// Of those every `n`th.
    pub fn every(self, n: u64) -> Match {
        Match { nth: Nth::Every(n), ..self }
    }

    /// Of those the share `probability`, drawn with `seed`.
    pub fn random(self, probability: f64, seed: u64) -> Match {
        Match { nth: Nth::Random { probability, seed }, ..self }
    }

    fn fits(&self, call: &Call) -> bool {
        self.service.as_deref().is_none_or(|pattern| glob(pattern, &call.service))
            && self.region.as_deref().is_none_or(|region| region == call.region && !GLOBAL.contains(&&*call.service))
            && self.operation.as_deref().is_none_or(|pattern| glob(pattern, &call.operation))
            && self.mutating.is_none_or(|mutating| mutating == call.mutating)
    }
}

/// Which of the calls that fit a [`Match`], counted from 1 since the rule was added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nth {
    /// Each `n`th one; `Every(1)` is all of them.
    Every(u64),
    /// The `n`th one and no other.
    Only(u64),
    /// The `n`th one and all that follow.
    From(u64),
    /// A share, drawn in the order of arrival.
    Random {
        /// Between 0 and 1.
        probability: f64,
        /// The same seed draws the same calls.
        seed: u64,
    },
}

impl Default for Nth {
    fn default() -> Nth {
        Nth::Every(1)
    }
}

/// Makes a reply in the emulator's place. It must not block: it runs where the proxy's other calls do.
pub type Make = Arc<dyn Fn(&Call) -> Reply + Send + Sync>;

/// Rewrites the emulator's reply. It must not block either.
pub type Change = Arc<dyn Fn(&Call, Reply) -> Reply + Send + Sync>;

/// Is told of a call, and decides whether it goes on. It may block.
pub type Watch = Arc<dyn Fn(&Call) -> Then + Send + Sync>;

/// What happens to a call.
///
/// Of the rules that apply to a call, every [`Effect::Delay`] and [`Effect::Hook`] takes its turn in the order
/// in which the rules were added; of the others the first one added decides.
#[derive(Clone)]
pub enum Effect {
    /// It reaches the emulator only after this time.
    Delay(Duration),
    /// It is refused for calling too often, in the protocol's own words, and changes nothing.
    Throttle,
    /// It is refused with this error and changes nothing.
    Fail {
        /// The HTTP status.
        status: u16,
        /// The error code.
        code: String,
    },
    /// It takes effect, and the client is told this error.
    FailAfter {
        /// The HTTP status.
        status: u16,
        /// The error code.
        code: String,
    },
    /// The connection closes; nothing takes effect.
    Cut,
    /// It takes effect, then the connection closes without a reply.
    CutAfter,
    /// It takes effect and is never answered: the client has to give up.
    Withhold,
    /// It is never answered and takes no effect.
    WithholdBefore,
    /// It gets this reply and takes no effect.
    Replace(Make),
    /// It takes effect, and the emulator's reply is rewritten.
    Rewrite(Change),
    /// The test is told, and decides whether the call goes on.
    Hook {
        /// Before it takes effect or after.
        when: When,
        /// What the test does; the call waits for it.
        hook: Watch,
    },
}

/// When a [`Effect::Hook`] runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The call was received and has not reached the emulator.
    Before,
    /// The call took effect and has not been answered.
    After,
}

/// What becomes of a call after a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on as if nothing had happened.
    Go,
    /// The connection closes: before the effect nothing takes effect, after it the reply is lost.
    Cut,
}

impl Effect {
    /// A failure that changes nothing.
    pub fn fail(status: u16, code: &str) -> Effect {
        Effect::Fail { status, code: code.to_owned() }
    }

    /// A call that takes effect and is answered `500 InternalFailure` all the same.
    pub fn fail_after() -> Effect {
        Effect::FailAfter { status: 500, code: "InternalFailure".to_owned() }
    }

    /// A fixed reply in the emulator's place.
    pub fn replace(status: u16, body: &str) -> Effect {
        let reply = Reply::new(status, body.to_owned());
        Effect::Replace(Arc::new(move |_| reply.clone()))
    }

    /// A reply made by the test in the emulator's place.
    pub fn replace_with(reply: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Effect {
        Effect::Replace(Arc::new(reply))
    }

    /// The emulator's reply as the test rewrites it: stale reads, missing items, pages of one.
    pub fn rewrite(rewrite: impl Fn(&Call, Reply) -> Reply + Send + Sync + 'static) -> Effect {
        Effect::Rewrite(Arc::new(rewrite))
    }

    /// A callback before the call takes effect.
    pub fn before(hook: impl Fn(&Call) -> Then + Send + Sync + 'static) -> Effect {
        Effect::Hook { when: When::Before, hook: Arc::new(hook) }
    }

    /// A callback after the call took effect and before its reply.
    pub fn after(hook: impl Fn(&Call) -> Then + Send + Sync + 'static) -> Effect {
        Effect::Hook { when: When::After, hook: Arc::new(hook) }
    }

    /// Kills the victim before the call takes effect, or after it and before the reply.
    pub fn kill(victim: &Victim, when: When) -> Effect {
        let victim = victim.clone();
        let hook = move |_: &Call| {
            victim.kill();
            Then::Cut
        };
        Effect::Hook { when, hook: Arc::new(hook) }
    }

    pub(crate) fn decides(&self) -> bool {
        !matches!(self, Effect::Delay(_) | Effect::Hook { .. })
    }
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Delay(time) => write!(f, "Delay({time:?})"),
            Effect::Fail { status, code } => write!(f, "Fail({status} {code})"),
            Effect::FailAfter { status, code } => write!(f, "FailAfter({status} {code})"),
            Effect::Hook { when, .. } => write!(f, "Hook({when:?})"),
            Effect::Throttle => f.write_str("Throttle"),
            Effect::Cut => f.write_str("Cut"),
            Effect::CutAfter => f.write_str("CutAfter"),
            Effect::Withhold => f.write_str("Withhold"),
            Effect::WithholdBefore => f.write_str("WithholdBefore"),
            Effect::Replace(_) => f.write_str("Replace"),
            Effect::Rewrite(_) => f.write_str("Rewrite"),
        }
    }
}

/// An HTTP reply. Without a `content-type` it gets the one of the request's protocol.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, without those that belong to the connection.
    pub headers: HeaderMap,
    /// The body, complete.
    pub body: Bytes,
}

impl Reply {
    /// A reply without headers.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Reply {
        Reply { status, headers: HeaderMap::new(), body: body.into() }
    }

    /// The reply with one header more.
    ///
    /// # Panics
    /// When the name or the value is not a header's.
    pub fn header(mut self, name: &str, value: &str) -> Reply {
        let name = HeaderName::try_from(name).expect("a header name");
        self.headers.insert(name, HeaderValue::try_from(value).expect("a header value"));
        self
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The name of a rule that was added, for taking it away again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(pub(crate) u64);

/// A rule at work: what it has counted so far.
pub(crate) struct Armed {
    pub(crate) id: RuleId,
    rule: Rule,
    seen: u64,
    pub(crate) hits: u64,
    draws: Option<StdRng>,
}

impl Armed {
    pub(crate) fn new(id: RuleId, rule: Rule) -> Armed {
        let draws = match rule.matches.nth {
            Nth::Random { seed, .. } => Some(StdRng::seed_from_u64(seed)),
            _ => None,
        };
        Armed { id, rule, seen: 0, hits: 0, draws }
    }

    /// Counts the call if it fits, and says whether it is one of those the rule is for.
    pub(crate) fn applies(&mut self, call: &Call) -> bool {
        if !self.rule.matches.fits(call) {
            return false;
        }
        self.seen += 1;
        match (self.rule.matches.nth, &mut self.draws) {
            (Nth::Every(n), _) => self.seen.is_multiple_of(n.max(1)),
            (Nth::Only(n), _) => self.seen == n,
            (Nth::From(n), _) => self.seen >= n,
            (Nth::Random { probability, .. }, Some(draws)) => draws.random_bool(probability.clamp(0.0, 1.0)),
            (Nth::Random { .. }, None) => false,
        }
    }

    /// The rule's effect, counted as a hit.
    pub(crate) fn hit(&mut self) -> Effect {
        self.hits += 1;
        self.rule.effect.clone()
    }

    pub(crate) fn decides(&self) -> bool {
        self.rule.effect.decides()
    }
}

/// Whether `text` is what `pattern` describes; `*` stands for any text, also none.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut words: Vec<&str> = rest.split('*').collect();
    let last = words.pop().unwrap_or_default();
    for word in words {
        let Some(at) = text.find(word) else { return false };
        text = &text[at + word.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, fits) in [
            ("Create*", "CreateVpc", true),
            ("Create*", "DeleteVpc", false),
            ("*Vpc", "CreateVpc", true),
            ("CreateVpc", "CreateVpcEndpoint", false),
            ("*", "", true),
            ("GET */rrset", "GET /2013-04-01/hostedzone/{id}/rrset", true),
            ("*a*b", "xaxb", true),
            ("*ab*ab", "xab", false),
            ("ab*b", "ab", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} on {text}");
        }
    }
}
