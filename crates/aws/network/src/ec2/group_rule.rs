//! GroupRule: one rule of a security group, as people write it and as EC2 takes and answers it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};
use holdfast_base::error::{Error, Result};
use holdfast_core::Spec;
use holdfast_core::schema::{Type, Typed};
use holdfast_core::types::{Cidr, Late, Ref};
use holdfast_core::value::Value;
use serde::{Deserialize, Deserializer, Serialize};

use super::canonical;
use super::security_group::SecurityGroup;

/// What a group lets through. The other side is exactly one of `cidrIpv4`, `cidrIpv6`, `securityGroup` and
/// `prefixListId`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupRule {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, the number of another protocol, or `-1` for all of them.
    ip_protocol: Protocol,
    /// The first port; of ICMP the type, where -1, the default, is all of them. `tcp` and `udp` have to have
    /// it, and protocols without ports cannot: AWS would let all their traffic through whatever is said here
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html>).
    #[serde(default = "all")]
    from_port: i32,
    /// The last port; of ICMP the code, where -1, the default, is all of them.
    #[serde(default = "all")]
    to_port: i32,
    /// These IPv4 addresses: `0.0.0.0/0` is everybody, `/32` a single one.
    cidr_ipv4: Option<Cidr>,
    /// These IPv6 addresses: `::/0` is everybody, `/128` a single one.
    cidr_ipv6: Option<Cidr>,
    /// Whatever has this group; it may be the group itself.
    security_group: Option<Late<Ref<SecurityGroup>>>,
    /// The addresses of this prefix list (`pl-…`). It counts as many rules of the quota as it may have entries.
    prefix_list_id: Option<String>,
    /// What it is for, up to 255 characters. It is changed without touching the rule.
    description: Option<String>,
}

fn all() -> i32 {
    -1
}

/// A protocol by the name that EC2 answers: `6` is `tcp`, and `all` is `-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(crate) struct Protocol(String);

impl Typed for Protocol {
    const TYPE: Type = Type::Canonical { name: "IP protocol", canonical: protocol };
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let stated = serde_json::Value::deserialize(deserializer)?;
        let name = protocol(&stated.into()).map_err(serde::de::Error::custom)?;
        Ok(Protocol(name.text().unwrap_or_default().to_owned()))
    }
}

fn protocol(value: &Value) -> std::result::Result<Value, String> {
    let stated = match value {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.to_lowercase(),
        other => return Err(format!("`{other}` is not an IP protocol")),
    };
    let name = match stated.as_str() {
        "all" | "-1" => "-1",
        "icmp" | "1" => "icmp",
        "tcp" | "6" => "tcp",
        "udp" | "17" => "udp",
        "icmpv6" | "58" => "icmpv6",
        number if number.parse::<u8>().is_ok() => number,
        other => return Err(format!("`{other}` is not an IP protocol: say tcp, udp, icmp, icmpv6, -1 or a number")),
    };
    Ok(name.into())
}

impl GroupRule {
    /// What tells it from other rules: everything but its description, in EC2's spelling.
    fn key(&self) -> GroupRule {
        GroupRule {
            cidr_ipv4: self.cidr_ipv4.as_ref().map(canonical),
            cidr_ipv6: self.cidr_ipv6.as_ref().map(canonical),
            description: None,
            ..self.clone()
        }
    }

    fn permission(&self) -> Result<IpPermission> {
        let GroupRule { ip_protocol, from_port, to_port, cidr_ipv4, cidr_ipv6, security_group, prefix_list_id, .. } =
            self;
        let wrong = |message: String| Err(Error::terminal("ec2.AuthorizeSecurityGroup", message));
        let text = self.description.clone();
        let rule = IpPermission::builder().ip_protocol(&ip_protocol.0);
        let rule = match (ip_protocol.0.as_str(), from_port, to_port) {
            ("tcp" | "udp" | "icmp" | "icmpv6", from, to) => rule.from_port(*from).to_port(*to),
            (_, -1, -1) => rule,
            (name, ..) => {
                return wrong(format!("a rule of ipProtocol {name} has no ports: leave fromPort and toPort out"));
            }
        };
        let rule = match (cidr_ipv4, cidr_ipv6, security_group, prefix_list_id) {
            (Some(cidr), None, None, None) => {
                rule.ip_ranges(IpRange::builder().cidr_ip(&cidr.0).set_description(text).build())
            }
            (None, Some(cidr), None, None) => {
                rule.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(&cidr.0).set_description(text).build())
            }
            (None, None, Some(Late(group)), None) => rule
                .user_id_group_pairs(UserIdGroupPair::builder().group_id(group.as_str()).set_description(text).build()),
            (None, None, None, Some(list)) => {
                rule.prefix_list_ids(PrefixListId::builder().prefix_list_id(list).set_description(text).build())
            }
            _ => {
                let sides = "cidrIpv4, cidrIpv6, securityGroup and prefixListId";
                return wrong(format!("a rule needs exactly one of {sides}"));
            }
        };
        Ok(rule.build())
    }
}

/// The rules of an answer, which puts those of the same protocol and ports together.
pub(crate) fn rules(permissions: &[IpPermission]) -> BTreeSet<GroupRule> {
    let mut rules = BTreeSet::new();
    for p in permissions {
        let rule = |description: &Option<String>| GroupRule {
            ip_protocol: Protocol(p.ip_protocol.clone().unwrap_or_else(|| "-1".into())),
            from_port: p.from_port.unwrap_or(-1),
            to_port: p.to_port.unwrap_or(-1),
            cidr_ipv4: None,
            cidr_ipv6: None,
            security_group: None,
            prefix_list_id: None,
            description: description.clone().filter(|text| !text.is_empty()),
        };
        rules.extend(
            p.ip_ranges().iter().map(|r| GroupRule { cidr_ipv4: r.cidr_ip.clone().map(Cidr), ..rule(&r.description) }),
        );
        rules.extend(
            p.ipv6_ranges()
                .iter()
                .map(|r| GroupRule { cidr_ipv6: r.cidr_ipv6.clone().map(Cidr), ..rule(&r.description) }),
        );
        rules.extend(p.user_id_group_pairs().iter().map(|r| GroupRule {
            security_group: r.group_id.clone().map(|id| Late(Ref::new(id))),
            ..rule(&r.description)
        }));
        rules.extend(
            p.prefix_list_ids()
                .iter()
                .map(|r| GroupRule { prefix_list_id: r.prefix_list_id.clone(), ..rule(&r.description) }),
        );
    }
    rules
}

/// The groups that rules refer to.
pub(crate) fn groups<'a>(rules: impl IntoIterator<Item = &'a GroupRule>) -> BTreeSet<&'a str> {
    rules.into_iter().filter_map(|rule| rule.security_group.as_ref()).map(|Late(group)| group.as_str()).collect()
}

/// What has to be done to rules, in this order.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Changes {
    pub(crate) authorize: Vec<IpPermission>,
    pub(crate) describe: Vec<IpPermission>,
    pub(crate) revoke: Vec<IpPermission>,
}

/// What has to be done to come from one set of rules to another.
pub(crate) fn changes(there: &BTreeSet<GroupRule>, wanted: &BTreeSet<GroupRule>) -> Result<Changes> {
    let keyed = |rules: &BTreeSet<GroupRule>| -> BTreeMap<_, _> {
        rules.iter().map(|rule| (rule.key(), rule.description.clone())).collect()
    };
    let (live, new) = (keyed(there), keyed(wanted));
    if new.len() < wanted.len() {
        let message = "two rules are the same but for their descriptions, and AWS takes only one of them";
        return Err(Error::terminal("ec2.AuthorizeSecurityGroup", message));
    }
    let mut changes = Changes::default();
    for (rule, description) in &new {
        let permission = || GroupRule { description: description.clone(), ..rule.clone() }.permission();
        match live.get(rule) {
            None => changes.authorize.push(permission()?),
            Some(live) if live != description => changes.describe.push(permission()?),
            Some(_) => {}
        }
    }
    let gone = live.keys().filter(|rule| !new.contains_key(*rule));
    changes.revoke = gone.map(GroupRule::permission).collect::<Result<_>>()?;
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stated(rules: serde_json::Value) -> BTreeSet<GroupRule> {
        serde_json::from_value(rules).unwrap()
    }

    #[test]
    fn what_is_said_comes_back_the_same() {
        let rules = stated(json!([
            { "ipProtocol": "tcp", "fromPort": 80, "toPort": 80, "cidrIpv4": "0.0.0.0/0", "description": "web" },
            { "ipProtocol": 6, "fromPort": 80, "toPort": 80, "cidrIpv6": "::/0" },
            { "ipProtocol": "tcp", "fromPort": 3000, "toPort": 3000, "securityGroup": "sg-1" },
            { "ipProtocol": -1, "prefixListId": "pl-1" },
            { "ipProtocol": "icmp", "fromPort": 8, "cidrIpv4": "10.0.0.0/8" },
        ]));
        let sent: Vec<_> = rules.iter().map(|rule| rule.permission().unwrap()).collect();
        assert_eq!(super::rules(&sent), rules);
        assert_eq!(groups(&rules), BTreeSet::from(["sg-1"]));
    }

    #[test]
    fn only_the_differences_are_sent() {
        let rule = |port: i32, text: &str| {
            let ports = json!({ "ipProtocol": "tcp", "fromPort": port, "toPort": port });
            let mut rule = ports.as_object().unwrap().clone();
            rule.extend([("cidrIpv4".to_owned(), "10.0.0.9/8".into()), ("description".to_owned(), text.into())]);
            rule
        };
        let mut there = stated(json!([rule(1, "a"), rule(2, "b"), rule(3, "c")]));
        there = there.iter().map(|r| GroupRule { description: r.description.clone(), ..r.key() }).collect();
        let changes = changes(&there, &stated(json!([rule(2, "b"), rule(3, "d"), rule(4, "e")]))).unwrap();
        let ports = |p: &[IpPermission]| p.iter().map(|p| p.from_port.unwrap()).collect::<Vec<_>>();
        assert_eq!(ports(&changes.authorize), [4]);
        assert_eq!(ports(&changes.describe), [3]);
        assert_eq!(ports(&changes.revoke), [1]);
    }

    #[test]
    fn rules_that_aws_would_read_otherwise_are_refused() {
        let refused = |rules| changes(&BTreeSet::new(), &stated(rules)).is_err();
        assert!(refused(json!([{ "ipProtocol": "-1", "fromPort": 80, "toPort": 80, "cidrIpv4": "0.0.0.0/0" }])));
        assert!(refused(json!([{ "ipProtocol": "tcp", "fromPort": 80, "toPort": 80 }])));
        assert!(refused(json!([
            { "ipProtocol": "-1", "cidrIpv4": "10.0.0.0/8", "description": "a" },
            { "ipProtocol": "all", "cidrIpv4": "10.0.0.0/8", "description": "b" },
        ])));
    }
}
