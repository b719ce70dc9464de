//! Rules: the calls that they apply to, and their effect on these calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
pub use hyper::body::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::call::Call;
use crate::holdfast::KillTarget;

/// A rule: an effect, and the calls that it applies to.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The calls that the rule applies to.
    pub matches: Match,
    /// The effect on these calls.
    pub effect: Effect,
}

impl Rule {
    /// Returns a rule that applies `effect` to the calls that match.
    pub fn new(matches: Match, effect: Effect) -> Rule {
        Rule { matches, effect }
    }
}

/// A condition on calls. A call matches when it fits every given field; `nth` then selects among the matching calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    /// The signing name of the service, as a pattern: `ec2`, `elasticloadbalancing`, `monitoring`.
    pub service: Option<String>,
    /// The region of the endpoint. Calls to services with one global endpoint never match.
    pub region: Option<String>,
    /// The operation, as a pattern: `Create*`, `GET */rrset`.
    pub operation: Option<String>,
    /// True for mutating calls only, false for reads only.
    pub mutating: Option<bool>,
    /// The selection among the matching calls.
    pub nth: Nth,
}

/// The services with one global endpoint.
const GLOBAL_SERVICES: &[&str] = &["budgets", "cloudfront", "iam", "route53"];

impl Match {
    /// Matches every call.
    pub fn all() -> Match {
        Match::default()
    }

    /// Matches the calls whose [`Call::name`] fits a pattern of `service.Operation`: `ec2.Create*`, `ecs.*`. A star
    /// stands for any text. Without a star, the name must be equal.
    pub fn calls(pattern: &str) -> Match {
        let (service, operation) = pattern.split_once('.').unwrap_or((pattern, "*"));
        Match { service: Some(service.to_owned()), operation: Some(operation.to_owned()), ..Match::default() }
    }

    /// Matches the calls to the endpoints of a region, to simulate the failure of that region. Calls to global services
    /// such as Route 53 and IAM do not match: in the sandbox they are signed for the home region, but AWS serves them
    /// globally.
    pub fn region(region: &str) -> Match {
        Match { region: Some(region.to_owned()), ..Match::default() }
    }

    /// Matches the mutating calls.
    pub fn changes() -> Match {
        Match { mutating: Some(true), ..Match::default() }
    }

    /// Matches the calls that only read.
    pub fn reads() -> Match {
        Match { mutating: Some(false), ..Match::default() }
    }

    /// Selects only the `n`th matching call, counted from 1.
    pub fn only(self, n: u64) -> Match {
        Match { nth: Nth::Only(n), ..self }
    }

    /// Selects the `n`th matching call and all later ones.
    pub fn from(self, n: u64) -> Match {
        Match { nth: Nth::From(n), ..self }
    }

    /// Selects every `n`th matching call.
    pub fn every(self, n: u64) -> Match {
        Match { nth: Nth::Every(n), ..self }
    }

    /// Selects each matching call with this probability. The same seed selects the same calls.
    pub fn random(self, probability: f64, seed: u64) -> Match {
        Match { nth: Nth::Random { probability, seed }, ..self }
    }

    fn fits(&self, call: &Call) -> bool {
        self.service.as_deref().is_none_or(|pattern| glob(pattern, &call.service))
            && self
                .region
                .as_deref()
                .is_none_or(|region| region == call.region && !GLOBAL_SERVICES.contains(&&*call.service))
            && self.operation.as_deref().is_none_or(|pattern| glob(pattern, &call.operation))
            && self.mutating.is_none_or(|mutating| mutating == call.mutating)
    }
}

/// The selection among the calls that fit a [`Match`], counted from 1 since the rule was added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nth {
    /// Every `n`th call. `Every(1)` selects all calls.
    Every(u64),
    /// Only the `n`th call.
    Only(u64),
    /// The `n`th call and all later ones.
    From(u64),
    /// A random share, in order of arrival.
    Random {
        /// The probability, between 0 and 1.
        probability: f64,
        /// The seed. The same seed selects the same calls.
        seed: u64,
    },
}

impl Default for Nth {
    fn default() -> Nth {
        Nth::Every(1)
    }
}

/// Creates a reply instead of the emulator. Must not block, because it runs on the proxy's threads.
pub type ReplyFactory = Arc<dyn Fn(&Call) -> Reply + Send + Sync>;

/// Rewrites the emulator's reply. Must not block, because it runs on the proxy's threads.
pub type ReplyRewriter = Arc<dyn Fn(&Call, Reply) -> Reply + Send + Sync>;

/// Receives a call and decides whether it continues. May block.
pub type Hook = Arc<dyn Fn(&Call) -> HookResult + Send + Sync>;

/// The effect of a rule on a call.
///
/// All [`Effect::Delay`]s and [`Effect::Hook`]s that apply to a call run, in the order in which their rules were added.
/// Of the other effects, only that of the first rule applies.
#[derive(Clone)]
pub enum Effect {
    /// The call reaches the emulator after this delay.
    Delay(Duration),
    /// The client receives the protocol's throttling error, and the call takes no effect.
    Throttle,
    /// The client receives this error, and the call takes no effect.
    Fail {
        /// The HTTP status.
        status: u16,
        /// The error code.
        code: String,
    },
    /// The call takes effect, and the client receives this error.
    FailAfter {
        /// The HTTP status.
        status: u16,
        /// The error code.
        code: String,
    },
    /// The connection closes, and the call takes no effect.
    Cut,
    /// The call takes effect, and the connection closes without a reply.
    CutAfter,
    /// The call takes effect, and no reply is sent until the client closes the connection.
    Withhold,
    /// The call takes no effect, and no reply is sent until the client closes the connection.
    WithholdBefore,
    /// The client receives this reply, and the call takes no effect.
    Replace(ReplyFactory),
    /// The call takes effect, and the emulator's reply is rewritten.
    Rewrite(ReplyRewriter),
    /// A callback of the test decides whether the call continues.
    Hook {
        /// Whether the hook runs before or after the call takes effect.
        when: When,
        /// The callback. The call waits for it.
        hook: Hook,
    },
}

/// The point at which an [`Effect::Hook`] runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The call was received and was not forwarded to the emulator.
    Before,
    /// The call took effect, and no reply was sent.
    After,
}

/// The decision of a hook about its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookResult {
    /// The call continues unchanged.
    Continue,
    /// The connection closes. Before the effect, the call takes no effect; after it, the reply is lost.
    Cut,
}

impl Effect {
    /// Returns an effect: the call fails with this error and takes no effect.
    pub fn fail(status: u16, code: &str) -> Effect {
        Effect::Fail { status, code: code.to_owned() }
    }

    /// Returns an effect: the call takes effect, and the client receives `500 InternalFailure`.
    pub fn fail_after() -> Effect {
        Effect::FailAfter { status: 500, code: "InternalFailure".to_owned() }
    }

    /// Returns an effect: the client receives a fixed reply instead of the emulator's.
    pub fn replace(status: u16, body: &str) -> Effect {
        let reply = Reply::new(status, body.to_owned());
        Effect::Replace(Arc::new(move |_| reply.clone()))
    }

    /// Returns an effect: the client receives a reply of the test instead of the emulator's.
    pub fn replace_with(reply: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Effect {
        Effect::Replace(Arc::new(reply))
    }

    /// Returns an effect: the test rewrites the emulator's reply, for stale reads, missing items, or pages of one item.
    pub fn rewrite(rewrite: impl Fn(&Call, Reply) -> Reply + Send + Sync + 'static) -> Effect {
        Effect::Rewrite(Arc::new(rewrite))
    }

    /// Returns an effect: a callback before the call takes effect.
    pub fn before(hook: impl Fn(&Call) -> HookResult + Send + Sync + 'static) -> Effect {
        Effect::Hook { when: When::Before, hook: Arc::new(hook) }
    }

    /// Returns an effect: a callback after the call took effect and before its reply.
    pub fn after(hook: impl Fn(&Call) -> HookResult + Send + Sync + 'static) -> Effect {
        Effect::Hook { when: When::After, hook: Arc::new(hook) }
    }

    /// Returns an effect: kills the process before the call takes effect, or after the effect and before the reply.
    pub fn kill(kill_target: &KillTarget, when: When) -> Effect {
        let kill_target = kill_target.clone();
        let hook = move |_: &Call| {
            kill_target.kill();
            HookResult::Cut
        };
        Effect::Hook { when, hook: Arc::new(hook) }
    }

    /// True when at most one such effect can apply to a call.
    pub(crate) fn is_exclusive(&self) -> bool {
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

/// An HTTP reply. Without a `content-type`, the proxy adds the one of the request's protocol.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, without the headers of the connection.
    pub headers: HeaderMap,
    /// The complete body.
    pub body: Bytes,
}

impl Reply {
    /// Returns a reply without headers.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Reply {
        Reply { status, headers: HeaderMap::new(), body: body.into() }
    }

    /// Returns the reply with one more header.
    ///
    /// # Panics
    /// Panics when the name or the value is not valid in a header.
    pub fn header(mut self, name: &str, value: &str) -> Reply {
        let name = HeaderName::try_from(name).expect("a header name");
        self.headers.insert(name, HeaderValue::try_from(value).expect("a header value"));
        self
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The id of a rule, to count its hits and to remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(pub(crate) u64);

/// An added rule, with its counters.
pub(crate) struct ActiveRule {
    pub(crate) id: RuleId,
    rule: Rule,
    matched: u64,
    pub(crate) hits: u64,
    rng: Option<StdRng>,
}

impl ActiveRule {
    pub(crate) fn new(id: RuleId, rule: Rule) -> ActiveRule {
        let rng = match rule.matches.nth {
            Nth::Random { seed, .. } => Some(StdRng::seed_from_u64(seed)),
            _ => None,
        };
        ActiveRule { id, rule, matched: 0, hits: 0, rng }
    }

    /// Counts the call if it matches. True when the rule applies to the call.
    pub(crate) fn applies(&mut self, call: &Call) -> bool {
        if !self.rule.matches.fits(call) {
            return false;
        }
        self.matched += 1;
        match (self.rule.matches.nth, &mut self.rng) {
            (Nth::Every(n), _) => self.matched.is_multiple_of(n.max(1)),
            (Nth::Only(n), _) => self.matched == n,
            (Nth::From(n), _) => self.matched >= n,
            (Nth::Random { probability, .. }, Some(rng)) => rng.random_bool(probability.clamp(0.0, 1.0)),
            (Nth::Random { .. }, None) => false,
        }
    }

    /// Counts a hit, and returns the rule's effect.
    pub(crate) fn hit(&mut self) -> Effect {
        self.hits += 1;
        self.rule.effect.clone()
    }

    pub(crate) fn is_exclusive(&self) -> bool {
        self.rule.effect.is_exclusive()
    }
}

/// True when `text` matches `pattern`. `*` stands for any text, also the empty text.
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
