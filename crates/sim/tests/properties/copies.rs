//! Properties of plans and passes in an account with copied owner tags.

use super::*;

/// Creates resources with a copy of a resource's tags, and with the same, a lower, a higher or an absurd generation.
pub(super) fn copy_out_of_band(sim: &Sim, original: &ActualResource, c: &mut Choices<'_>) {
    let schema = kinds::REGISTRY.get(original.kind).expect("a kind");
    if !schema.ownership.is_own() || original.owner().is_none() {
        return;
    }
    for n in 0..=c.below(2) {
        let mut tags = original.tags.clone();
        match ["", "1", "2", "5", "0", "4294967295", "many"][c.below(7)] {
            "" => {}
            generation => drop(tags.insert("holdfast:generation".into(), generation.into())),
        }
        let name = match schema.naming.tag {
            true => original.name.clone(),
            false => format!("copy-{n}-of-{}", original.name),
        };
        // A copy of a marker is on a resource with another identity: AWS refuses two resources of one identity.
        let mut spec = original.spec.clone();
        if let (Some(field), Value::Map(spec)) = (schema.ownership.identity().last(), &mut spec) {
            spec.insert((*field).to_owned(), Value::Text(name.clone()));
        }
        sim.create_unowned(schema, &original.region, &name, spec, tags);
    }
}

fn is_without_grants(policy: &PlanPolicy) -> bool {
    !policy.prune && !policy.delete_data && !policy.destroy && policy.replace == Grant::None
}

/// Checks that a plan without grants deletes, replaces and switches nothing, and that no plan changes a copy.
fn check_identities(case: &PlanCase, policy: &PlanPolicy) -> Result<(), TestCaseError> {
    let plan = planned(case, policy);
    let is_made = |id: &str| case.made.contains(id);
    let actual = case.world.sim.resources();
    let original_exists = |address: &Address| {
        let is_of =
            |r: &ActualResource| r.owner().is_some_and(|o| o.stack == "shop" && o.address == address.to_string());
        actual.iter().any(|r| is_made(&r.id) && is_of(r))
    };
    for step in &plan.steps {
        if is_without_grants(policy) {
            let destroys = matches!(step.action, Action::Delete | Action::Replace | Action::Release);
            prop_assert!(!destroys, "a step without a grant: {:?}", step);
        }
        if let Some(live) = changed_resource(step) {
            let is_ours = is_made(&live.id) || !original_exists(&step.address);
            prop_assert!(is_ours, "a step changes a copy: {:?}", step);
        }
    }
    for (address, live) in plan.live.iter().filter(|(address, _)| original_exists(address)) {
        prop_assert!(is_made(&live.id), "{} switches to {:?}", address, live);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_is_deleted_replaced_or_switched_without_a_grant(
        first in choices(), second in choices(), out_of_band in choices(), grants in any::<u8>(),
    ) {
        let mut case = block_on(plan_case(&first, &second, &out_of_band));
        let records = std::mem::take(&mut case.records);
        for records in [Records::default(), records] {
            let without_grants = PlanPolicy { records: records.clone(), ..PlanPolicy::default() };
            check_identities(&case, &without_grants)?;
            check_identities(&case, &PlanPolicy { records, ..policy(grants) })?;
        }
    }

    /// Passes with all grants, the last of which destroys everything.
    #[test]
    fn copies_survive_every_pass(
        first in choices(), second in choices(), out_of_band in choices(), lose_store in any::<bool>(),
    ) {
        block_on(async {
            let mut case = plan_case(&first, &second, &out_of_band).await;
            let resources = case.world.sim.resources();
            let is_copy = |r: &ActualResource| {
                let original = |other: &ActualResource| case.made.contains(&other.id) && other.owner() .map(|o| o.address) == r.owner().map(|o| o.address);
                !case.made.contains(&r.id) && r.owner().is_some() && (!lose_store || resources.iter().any(original))
            };
            let copies: Vec<ActualResource> = resources.iter().filter(|r| is_copy(r)).cloned().collect();
            if lose_store {
                case.world.restart(true);
            }
            for destroy in [false, false, true, true] {
                let policy = PlanPolicy { destroy, ..all_grants() };
                case.world.reconcile(policy).await.expect("a report");
                tokio::time::sleep(Duration::from_secs(120)).await;
                let left = case.world.sim.resources();
                for copy in &copies {
                    prop_assert!(left.contains(copy), "a copy was changed, destroy: {}: {:?}\n{}", destroy, copy, case.world.sim.log().join("\n"));
                }
            }
            Ok(())
        })?;
    }
}
