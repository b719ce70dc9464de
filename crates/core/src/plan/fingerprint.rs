//! The digest of a plan: two plans with the same digest do the same to the same resources.

use serde_json::json;

use super::{Plan, Step};
use crate::digest;
use crate::observed::Observed;
use crate::operation::{DesiredResource, Mutation};

impl Plan {
    /// Returns the digest of the document, the steps with their exact operations, and the holds.
    ///
    /// # Guarantees
    /// A plan with another step, another value, another live resource behind a step, another hold or another document
    /// has another digest.
    ///
    /// # Caveats
    /// A change of a live resource that needs no step, and attributes that AWS sets, do not change the digest.
    pub fn digest(&self) -> String {
        let steps = self.steps.iter().map(step);
        let holds = self.holds.iter().map(|h| format!("{} {:?} {}", h.address, h.reason, h.message));
        let lines: Vec<String> = [self.document.clone()].into_iter().chain(steps).chain(holds).collect();
        digest::text(&lines.join("\n"))
    }
}

fn step(step: &Step) -> String {
    let operation = step.operation.as_ref().map(|operation| {
        let mutation = match &operation.mutation {
            Mutation::Create(desired) => json!({"create": desired_facts(desired)}),
            Mutation::Update { live, desired } => json!({"update": live_facts(live), "to": desired_facts(desired)}),
            Mutation::Delete { live } => json!({"delete": live_facts(live)}),
            Mutation::Tag { live, set, remove } => json!({"tag": live_facts(live), "set": set, "remove": remove}),
        };
        json!([operation.kind, operation.region, mutation])
    });
    json!([step.address, step.action, step.cause, step.changes, step.after, operation]).to_string()
}

fn live_facts(live: &Observed) -> serde_json::Value {
    json!([live.region, live.id, live.name, live.phase, live.spec, live.tags])
}

fn desired_facts(desired: &DesiredResource) -> serde_json::Value {
    json!([desired.name, desired.spec, desired.changed, desired.tags, desired.remove_tags])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation;
    use crate::plan::{Action, Cause};
    use crate::schema::Tier;

    fn plan(id: &str) -> Plan {
        let live = Observed {
            region: "us-east-1".to_owned(),
            id: id.to_owned(),
            name: "shop-a".to_owned(),
            spec: Default::default(),
            status: Default::default(),
            phase: crate::observed::Phase::Ready,
            conditions: vec![],
            tags: Default::default(),
            scheduled: Default::default(),
            bound: false,
            opaque: Default::default(),
        };
        let mutation = Mutation::Delete { live: Box::new(live) };
        let step = Step {
            address: "Queue/a".parse().expect("an address"),
            tier: Tier::Data,
            action: Action::Delete,
            cause: Cause::Edit,
            changes: vec![],
            after: Default::default(),
            operation: Some(Operation { kind: "Queue", region: "us-east-1".to_owned(), mutation }),
        };
        Plan { steps: vec![step], ..Plan::default() }
    }

    #[test]
    fn the_digest_depends_on_the_document_and_on_the_live_resource_of_a_step() {
        assert_eq!(plan("a").digest(), plan("a").digest());
        assert_ne!(plan("a").digest(), plan("b").digest());
        let edited = Plan { document: "another".to_owned(), ..plan("a") };
        assert_ne!(plan("a").digest(), edited.digest());
    }
}
