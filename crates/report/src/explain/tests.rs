//! Explain and the manual for the test kinds.

use expect_test::expect;

use super::*;
use crate::tests::kinds::REGISTRY;

#[test]
fn kinds_and_fields_are_explained() {
    expect![[r#"
        network     SecurityGroup      A virtual firewall for resources.
        network     Subnet             A part of a network in one Availability Zone.
        network     Vpc                A virtual network.
        compute     Service            A set of running tasks.
        operations  Role               The permissions of a service.
        operations  Subscription       An endpoint that receives notifications.
    "#]]
    .assert_eq(&explain(&REGISTRY, "").unwrap());
    expect![[r#"
        Vpc (tier network)

          A virtual network.

          tier         network
          name         the tag `Name`
          idempotency  found by tags: after an unclear response, its tags are searched before a retry
          ownership    tags
          replacement  create before destroy
          deletion     deleted when it leaves the document and pruning is granted
          region       one

        FIELDS
          cidrBlock: a CIDR block
              required, immutable: a change requires a replacement
              The CIDR block of addresses.
          enableDnsHostnames: true or false
              default true
              Whether instances get DNS names.
          instanceTenancy: one of default, dedicated
              optional, immutable: a change requires a replacement
              Whether instances run on shared or dedicated hardware.

        ATTRIBUTES (expressions can also read id, name and the fields)
          arn: a string
              The ARN.
    "#]]
    .assert_eq(&explain(&REGISTRY, "Vpc").unwrap());
    expect![[r#"
        SecurityGroup.ingress: a set of Rule records
        default []

          The inbound rules.

        FIELDS
          ipProtocol: a string
              required
              The protocol.
          fromPort: a whole number
              optional
              The first port.
          toPort: a whole number
              optional
              The last port.
          securityGroup: a reference to a SecurityGroup
              optional
              The security group that traffic is allowed from.
    "#]]
    .assert_eq(&explain(&REGISTRY, "SecurityGroup.ingress").unwrap());
    expect![[r#"
        SecurityGroup.ingress.fromPort: a whole number
        optional

          The first port.
    "#]]
    .assert_eq(&explain(&REGISTRY, "SecurityGroup.ingress.fromPort").unwrap());
}

#[test]
fn an_unknown_part_of_the_path_is_named() {
    let error = |path| explain(&REGISTRY, path).unwrap_err().to_string();
    assert_eq!(error("Vcp"), "there is no kind `Vcp`; did you mean `Vpc`?");
    assert_eq!(
        error("SecurityGroup.ingress.port"),
        "`SecurityGroup.ingress` has no field `port`; did you mean `toPort`?"
    );
    assert_eq!(error("Vpc.cidrBlock.x"), "`Vpc.cidrBlock` has no field `x`");
}

#[test]
fn the_manual_is_markdown() {
    let service = REGISTRY.get("Service").unwrap();
    expect![[r#"
        # Service

        A set of running tasks.

        | property | value |
        |---|---|
        | tier | compute |
        | name | at most 32 characters |
        | idempotency | unique name: AWS refuses a second resource of the same name |
        | ownership | tags |
        | replacement | create before destroy |
        | deletion | deleted when it leaves the document and pruning is granted |
        | region | one |

        ## Fields

        | field | type | properties | description |
        |---|---|---|---|
        | `subnets` | a set of references to Subnet | required | The subnets of the tasks. |
        | `role` | a reference to a Role | optional | The role of the tasks. |
        | `upstream` | a reference to a Service | optional | The service that the tasks call. |
        | `command` | a list of strings | optional; write-only: AWS does not return it | The command of a task. |
        | `environment` | a map of strings | optional | The environment variables of a task. |
        | `desiredCount` | a whole number | optional | The number of tasks. |
        | `cpu` | a number | optional | The number of vCPUs of a task. |

        ## Attributes

        Expressions can read these attributes in addition to `id`, `name` and the fields: `${Service.name.attribute}`.

        | attribute | type | description |
        |---|---|---|
        | `arn` | a string | The ARN. |

        ## Write-only fields

        These fields cannot be observed, so drift detection does not cover them.

        - `command`: AWS does not return it
    "#]]
    .assert_eq(&manual(service));
    let group = REGISTRY.get("SecurityGroup").unwrap();
    expect![[r#"
        # SecurityGroup

        A virtual firewall for resources.

        | property | value |
        |---|---|
        | tier | network |
        | name | the tag `Name` |
        | idempotency | found by tags: after an unclear response, its tags are searched before a retry |
        | ownership | tags |
        | replacement | create before destroy |
        | deletion | deleted when it leaves the document and pruning is granted |
        | region | one |

        ## Fields

        | field | type | properties | description |
        |---|---|---|---|
        | `vpc` | a reference to a Vpc | required; immutable: a change requires a replacement | The network. |
        | `ingress` | a set of Rule records | default [] | The inbound rules. |

        ### SecurityGroup.ingress

        A rule of a security group.

        | field | type | properties | description |
        |---|---|---|---|
        | `ipProtocol` | a string | required | The protocol. |
        | `fromPort` | a whole number | optional | The first port. |
        | `toPort` | a whole number | optional | The last port. |
        | `securityGroup` | a reference to a SecurityGroup | optional | The security group that traffic is allowed from. |

        ## Attributes

        Expressions can read these attributes in addition to `id`, `name` and the fields: `${SecurityGroup.name.attribute}`.

        | attribute | type | description |
        |---|---|---|
        | `arn` | a string | The ARN. |
    "#]]
    .assert_eq(&manual(group));
}
