//! What explain and the manual say of the test kinds.

use expect_test::expect;

use super::*;
use crate::render::tests::kinds::REGISTRY;

#[test]
fn kinds_and_fields_are_explained() {
    expect![[r#"
        network     SecurityGroup      A firewall around resources.
        network     Subnet             A part of a network, in one zone.
        network     Vpc                A network of its own.
        compute     Service            Something that runs.
        operations  Role               What a service may do.
        operations  Subscription       Who is told.
    "#]]
    .assert_eq(&explain(&REGISTRY, "").unwrap());
    expect![[r#"
        Vpc (tier network)

          A network of its own.

          tier      network
          name      the tag `Name`
          made      with a new id; after an unclear answer it is looked for by its tags
          owned     by its tags
          replaced  the new one first, then the old one goes
          deleted   when it left the document and pruning is granted
          region    one

        FIELDS
          cidrBlock: a CIDR block
              required, immutable: a change means replacement
              The block of addresses.
          enableDnsHostnames: true or false
              default true
              Whether instances get names.
          instanceTenancy: one of default, dedicated
              optional, immutable: a change means replacement
              How instances share hardware.

        ATTRIBUTES (what expressions can read besides: id, name, and the fields)
          arn: a string
              Its ARN.
    "#]]
    .assert_eq(&explain(&REGISTRY, "Vpc").unwrap());
    expect![[r#"
        SecurityGroup.ingress: a set of: a Rule record
        default []

          What may come in.

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
              Who may come, as a group.
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
fn what_there_is_not_is_said() {
    let error = |path| explain(&REGISTRY, path).unwrap_err().to_string();
    assert_eq!(error("Vcp"), "there is no kind `Vcp`; did you mean `Vpc`?");
    assert_eq!(
        error("SecurityGroup.ingress.port"),
        "there is no field of SecurityGroup.ingress `port`; did you mean `toPort`?"
    );
    assert_eq!(error("Vpc.cidrBlock.x"), "there is no field of Vpc.cidrBlock `x`");
}

#[test]
fn the_manual_is_markdown() {
    let service = REGISTRY.get("Service").unwrap();
    expect![[r#"
        # Service

        Something that runs.

        | | |
        |---|---|
        | tier | compute |
        | name | at most 32 characters |
        | made | under its name, which AWS gives out once |
        | owned | by its tags |
        | replaced | the new one first, then the old one goes |
        | deleted | when it left the document and pruning is granted |
        | region | one |

        ## Fields

        | field | type | | |
        |---|---|---|---|
        | `subnets` | a set of: a reference to a Subnet | required | Where it runs. |
        | `role` | a reference to a Role | optional | Its role. |
        | `upstream` | a reference to a Service | optional | The service behind it. |
        | `command` | a list of: a string | optional; not observed: AWS does not answer it | What it runs. |
        | `environment` | a map of: a string | optional | Its environment. |
        | `desiredCount` | a whole number | optional | How many run. |
        | `cpu` | a number | optional | How much of a processor it gets. |

        ## Attributes

        Expressions read these beside `id`, `name` and the fields: `${Service.name.attribute}`.

        | attribute | type | |
        |---|---|---|
        | `arn` | a string | Its ARN. |

        ## Not covered by drift

        - `command`: AWS does not answer it
    "#]]
    .assert_eq(&manual(service));
    let group = REGISTRY.get("SecurityGroup").unwrap();
    expect![[r#"
        # SecurityGroup

        A firewall around resources.

        | | |
        |---|---|
        | tier | network |
        | name | the tag `Name` |
        | made | with a new id; after an unclear answer it is looked for by its tags |
        | owned | by its tags |
        | replaced | the new one first, then the old one goes |
        | deleted | when it left the document and pruning is granted |
        | region | one |

        ## Fields

        | field | type | | |
        |---|---|---|---|
        | `vpc` | a reference to a Vpc | required; immutable: a change means replacement | The network. |
        | `ingress` | a set of: a Rule record | default [] | What may come in. |

        ### SecurityGroup.ingress

        A rule of a security group.

        | field | type | | |
        |---|---|---|---|
        | `ipProtocol` | a string | required | The protocol. |
        | `fromPort` | a whole number | optional | The first port. |
        | `toPort` | a whole number | optional | The last port. |
        | `securityGroup` | a reference to a SecurityGroup | optional | Who may come, as a group. |

        ## Attributes

        Expressions read these beside `id`, `name` and the fields: `${SecurityGroup.name.attribute}`.

        | attribute | type | |
        |---|---|---|
        | `arn` | a string | Its ARN. |
    "#]]
    .assert_eq(&manual(group));
}
