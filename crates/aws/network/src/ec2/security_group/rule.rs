//! SecurityGroupRule: one rule of a security group, and its form in requests and responses of EC2.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};
use holdfast_base::error::{Error, Result};
use holdfast_core::Spec;
use holdfast_core::schema::{Type, Typed};
use holdfast_core::types::{AfterCreate, Cidr, Ref};
use holdfast_core::value::Value;
use serde::{Deserialize, Deserializer, Serialize};

use super::SecurityGroup;
use crate::ec2::canonical;

/// A security group rule: traffic that the group allows. The peer is exactly one of `cidrIpv4`, `cidrIpv6`,
/// `securityGroup` and `prefixListId`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = [
    "ipProtocol", "fromPort", "toPort", "cidrIpv4", "cidrIpv6", "securityGroup", "prefixListId",
])]
pub(crate) struct SecurityGroupRule {
    /// The IP protocol: `tcp`, `udp`, `icmp`, `icmpv6`, the number of another protocol, or `-1` for all protocols.
    ip_protocol: IpProtocol,
    /// The first port, or for ICMP the type; -1, the default, is all ICMP types. `tcp` and `udp` require it. Protocols
    /// without ports must leave it out: AWS would allow all their traffic and ignore the ports
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html>).
    #[spec(range = -1..=65535)]
    #[serde(default = "all")]
    from_port: i32,
    /// The last port, or for ICMP the code; -1, the default, is all ICMP codes.
    #[spec(range = -1..=65535)]
    #[serde(default = "all")]
    to_port: i32,
    /// The IPv4 addresses of the peer: `0.0.0.0/0` is all addresses, `/32` a single one.
    #[spec(pattern = "[0-9./]+")]
    cidr_ipv4: Option<Cidr>,
    /// The IPv6 addresses of the peer: `::/0` is all addresses, `/128` a single one.
    #[spec(pattern = "[0-9a-fA-F./]*:[0-9a-fA-F.:/]*")]
    cidr_ipv6: Option<Cidr>,
    /// The security group of the peers; it may be the same group.
    security_group: Option<AfterCreate<Ref<SecurityGroup>>>,
    /// The prefix list with the addresses of the peer (`pl-…`). It counts towards the rule quota with its maximum
    /// number of entries.
    prefix_list_id: Option<String>,
    /// The description. Changing it does not interrupt the rule
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html>).
    #[spec(length = ..=255, pattern = r"[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]*")]
    description: Option<String>,
}

fn all() -> i32 {
    -1
}

/// An IP protocol by the name that EC2 returns: `6` is `tcp`, and `all` is `-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(crate) struct IpProtocol(String);

impl Typed for IpProtocol {
    const TYPE: Type = Type::Canonical { name: "IP protocol", canonical: protocol };
}

impl<'de> Deserialize<'de> for IpProtocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let stated = serde_json::Value::deserialize(deserializer)?;
        let name = protocol(&stated.into()).map_err(serde::de::Error::custom)?;
        Ok(IpProtocol(name.text().unwrap_or_default().to_owned()))
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
        other => return Err(format!("`{other}` is not an IP protocol: state tcp, udp, icmp, icmpv6, -1 or a number")),
    };
    Ok(name.into())
}

impl SecurityGroupRule {
    /// Returns the identity of the rule: all fields except the description, in EC2's spelling.
    fn key(&self) -> SecurityGroupRule {
        SecurityGroupRule {
            cidr_ipv4: self.cidr_ipv4.as_ref().map(canonical),
            cidr_ipv6: self.cidr_ipv6.as_ref().map(canonical),
            description: None,
            ..self.clone()
        }
    }

    fn permission(&self) -> Result<IpPermission> {
        let SecurityGroupRule {
            ip_protocol,
            from_port,
            to_port,
            cidr_ipv4,
            cidr_ipv6,
            security_group,
            prefix_list_id,
            ..
        } = self;
        let refuse = |message: String| Err(Error::terminal("ec2.AuthorizeSecurityGroup", message));
        let text = self.description.clone();
        let rule = IpPermission::builder().ip_protocol(&ip_protocol.0);
        let rule = match (ip_protocol.0.as_str(), from_port, to_port) {
            ("tcp" | "udp" | "icmp" | "icmpv6", from, to) => rule.from_port(*from).to_port(*to),
            (_, -1, -1) => rule,
            (name, ..) => {
                return refuse(format!("a rule with ipProtocol {name} has no ports: leave out fromPort and toPort"));
            }
        };
        let rule = match (cidr_ipv4, cidr_ipv6, security_group, prefix_list_id) {
            (Some(cidr), None, None, None) => {
                rule.ip_ranges(IpRange::builder().cidr_ip(&cidr.0).set_description(text).build())
            }
            (None, Some(cidr), None, None) => {
                rule.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(&cidr.0).set_description(text).build())
            }
            (None, None, Some(AfterCreate(group)), None) => rule
                .user_id_group_pairs(UserIdGroupPair::builder().group_id(group.as_str()).set_description(text).build()),
            (None, None, None, Some(list)) => {
                rule.prefix_list_ids(PrefixListId::builder().prefix_list_id(list).set_description(text).build())
            }
            _ => {
                let peers = "cidrIpv4, cidrIpv6, securityGroup and prefixListId";
                return refuse(format!("a rule needs exactly one of {peers}"));
            }
        };
        Ok(rule.build())
    }
}

/// Returns the rules of a response, which groups rules of the same protocol and ports.
pub(crate) fn rules(permissions: &[IpPermission]) -> BTreeSet<SecurityGroupRule> {
    let mut rules = BTreeSet::new();
    for p in permissions {
        let rule = |description: &Option<String>| SecurityGroupRule {
            ip_protocol: IpProtocol(p.ip_protocol.clone().unwrap_or_else(|| "-1".into())),
            from_port: p.from_port.unwrap_or(-1),
            to_port: p.to_port.unwrap_or(-1),
            cidr_ipv4: None,
            cidr_ipv6: None,
            security_group: None,
            prefix_list_id: None,
            description: description.clone().filter(|text| !text.is_empty()),
        };
        rules.extend(
            p.ip_ranges()
                .iter()
                .map(|r| SecurityGroupRule { cidr_ipv4: r.cidr_ip.clone().map(Cidr), ..rule(&r.description) }),
        );
        rules.extend(
            p.ipv6_ranges()
                .iter()
                .map(|r| SecurityGroupRule { cidr_ipv6: r.cidr_ipv6.clone().map(Cidr), ..rule(&r.description) }),
        );
        rules.extend(p.user_id_group_pairs().iter().map(|r| SecurityGroupRule {
            security_group: r.group_id.clone().map(|id| AfterCreate(Ref::new(id))),
            ..rule(&r.description)
        }));
        rules.extend(
            p.prefix_list_ids()
                .iter()
                .map(|r| SecurityGroupRule { prefix_list_id: r.prefix_list_id.clone(), ..rule(&r.description) }),
        );
    }
    rules
}

/// Returns the groups that the rules refer to.
pub(crate) fn groups<'a>(rules: impl IntoIterator<Item = &'a SecurityGroupRule>) -> BTreeSet<&'a str> {
    rules.into_iter().filter_map(|rule| rule.security_group.as_ref()).map(|AfterCreate(group)| group.as_str()).collect()
}

/// The changes to the rules of a group, in the order of their calls.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct RuleChanges {
    pub(crate) authorize: Vec<IpPermission>,
    pub(crate) describe: Vec<IpPermission>,
    pub(crate) revoke: Vec<IpPermission>,
}

/// Returns the changes that turn the live rules into the desired rules.
pub(crate) fn changes(
    live: &BTreeSet<SecurityGroupRule>,
    desired: &BTreeSet<SecurityGroupRule>,
) -> Result<RuleChanges> {
    let keyed = |rules: &BTreeSet<SecurityGroupRule>| -> BTreeMap<_, _> {
        rules.iter().map(|rule| (rule.key(), rule.description.clone().filter(|text| !text.is_empty()))).collect()
    };
    let (live, new) = (keyed(live), keyed(desired));
    if new.len() < desired.len() {
        let message = "two rules differ only in their descriptions, and AWS accepts only one of them: remove one";
        return Err(Error::terminal("ec2.AuthorizeSecurityGroup", message));
    }
    let mut changes = RuleChanges::default();
    for (rule, description) in &new {
        let permission = || SecurityGroupRule { description: description.clone(), ..rule.clone() }.permission();
        match live.get(rule) {
            None => changes.authorize.push(permission()?),
            Some(live) if live != description => changes.describe.push(permission()?),
            Some(_) => {}
        }
    }
    let removed = live.keys().filter(|rule| !new.contains_key(*rule));
    changes.revoke = removed.map(SecurityGroupRule::permission).collect::<Result<_>>()?;
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stated(rules: serde_json::Value) -> BTreeSet<SecurityGroupRule> {
        serde_json::from_value(rules).unwrap()
    }

    #[test]
    fn rules_survive_the_round_trip_through_ec2s_form() {
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
    fn only_rules_that_differ_are_sent() {
        let rule = |port: i32, text: &str| {
            let ports = json!({ "ipProtocol": "tcp", "fromPort": port, "toPort": port });
            let mut rule = ports.as_object().unwrap().clone();
            rule.extend([("cidrIpv4".to_owned(), "10.0.0.9/8".into()), ("description".to_owned(), text.into())]);
            rule
        };
        let mut live = stated(json!([rule(1, "a"), rule(2, "b"), rule(3, "c")]));
        live = live.iter().map(|r| SecurityGroupRule { description: r.description.clone(), ..r.key() }).collect();
        let changes = changes(&live, &stated(json!([rule(2, "b"), rule(3, "d"), rule(4, "e")]))).unwrap();
        let ports = |p: &[IpPermission]| p.iter().map(|p| p.from_port.unwrap()).collect::<Vec<_>>();
        assert_eq!(ports(&changes.authorize), [4]);
        assert_eq!(ports(&changes.describe), [3]);
        assert_eq!(ports(&changes.revoke), [1]);
    }

    #[test]
    fn rules_that_aws_would_interpret_differently_are_refused() {
        let refused = |rules| changes(&BTreeSet::new(), &stated(rules)).is_err();
        assert!(refused(json!([{ "ipProtocol": "-1", "fromPort": 80, "toPort": 80, "cidrIpv4": "0.0.0.0/0" }])));
        assert!(refused(json!([{ "ipProtocol": "tcp", "fromPort": 80, "toPort": 80 }])));
        assert!(refused(json!([
            { "ipProtocol": "-1", "cidrIpv4": "10.0.0.0/8", "description": "a" },
            { "ipProtocol": "all", "cidrIpv4": "10.0.0.0/8", "description": "b" },
        ])));
    }
}
