//! Explain and the manual for the test kinds.

use expect_test::expect;

use super::*;
use crate::tests::kinds::REGISTRY;

#[test]
fn kinds_and_fields_are_explained() {
    expect![[r#"
        Vpc            network     A virtual network.
        Subnet         network     A part of a network in one Availability Zone.
        SecurityGroup  network     A virtual firewall for resources.
        Role           operations  The permissions of a service.
        Service        compute     A set of running tasks.
        Subscription   operations  An endpoint that receives notifications.
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
              optional, AWS's default is "default", immutable: a change requires a replacement
              Whether instances run on shared or dedicated hardware.

        FIELDS OF EVERY KIND
          name: a string
              optional
              The physical name. The default is built from stack, environment and address.
          tags: a map of strings
              optional
              Tags in addition to the stack's tags. `{}` means no tags at all; a null value removes one of the stack's tags.
          lifecycle: a Lifecycle record
              optional
              How the resource is managed.
          dependsOn: a list of strings
              optional
              The addresses of further resources that must be ready first. A `*` matches several names.
          forEach: a list or map
              optional
              One copy for each element of a list or map. Expressions read the element as `each.key` and `each.value`; the address gets the suffix `-<key>`.
          when: true or false
              optional
              A condition. When it is false, the document does not contain this resource or component.
          region: a string
              optional
              An alias of `spec.regions`, or the name of a region.
          id: a string
              optional
              With `manage: observe`: the id of the live resource.

        ATTRIBUTES (expressions read them, and the fields, as `${Vpc.<name>.<attribute>}`)
          id: a string
              The id of the live resource.
          name: a string
              The physical name of the live resource.
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
fn values_and_limits_are_explained() {
    expect![[r#"
        Subscription (tier operations)

          An endpoint that receives notifications.

          tier         operations
          name         the tag `Name`
          idempotency  found by tags: after an unclear response, its tags are searched before a retry
          ownership    parent's tags: recorded by name in the tags of its `endpoint`
          replacement  create before destroy
          deletion     deleted when it leaves the document and pruning is granted
          region       one

        FIELDS
          endpoint: a string
              required, immutable: a change requires a replacement
              The endpoint that notifications are sent to.
          protocol: a string
              optional, AWS's default is "https", must be `https` or `sqs`
              The protocol.
          retries: a whole number
              optional, must be 0 to 100
              The number of retries.
          topics: a list of strings
              optional, must have 1 to 2 elements, each element must have 1 to 8 characters, each element must match `[a-z]+|[0-9]+`
              The topics by name.
          weights: a map of numbers
              optional, must have at most 3 elements, each element must be at least 1
              The weights of the topics.

        FIELDS OF EVERY KIND
          name: a string
              optional
              The physical name. The default is built from stack, environment and address.
          lifecycle: a Lifecycle record
              optional
              How the resource is managed.
          dependsOn: a list of strings
              optional
              The addresses of further resources that must be ready first. A `*` matches several names.
          forEach: a list or map
              optional
              One copy for each element of a list or map. Expressions read the element as `each.key` and `each.value`; the address gets the suffix `-<key>`.
          when: true or false
              optional
              A condition. When it is false, the document does not contain this resource or component.
          region: a string
              optional
              An alias of `spec.regions`, or the name of a region.
          id: a string
              optional
              With `manage: observe`: the id of the live resource.

        ATTRIBUTES (expressions read them, and the fields, as `${Subscription.<name>.<attribute>}`)
          id: a string
              The id of the live resource.
          name: a string
              The physical name of the live resource.
          arn: a string
              The ARN.
    "#]].assert_eq(&explain(&REGISTRY, "Subscription").unwrap());
    expect![[r#"
        Subscription.protocol: a string
        optional, AWS's default is "https", must be `https` or `sqs`

          The protocol.

        VALUES
          https
          sqs
    "#]]
    .assert_eq(&explain(&REGISTRY, "Subscription.protocol").unwrap());
    expect![[r#"
        Subscription.lifecycle: a Lifecycle record
        optional

          How the resource is managed.

        FIELDS
          manage: one of full, observe
              optional
              `observe`: the resource exists already; Holdfast reads it and never changes it.
          onDelete: one of delete, retain
              optional
              Whether the resource is deleted or kept when it leaves the document.
          replace: one of allow, refuse
              optional
              Whether the resource may be replaced without a flag.
          ignore: a list of strings
              optional
              The paths of fields that another process or a person controls.
          accept: a list of strings
              optional
              The paths of fields whose values this build refuses and AWS accepts.
          adopt: a string
              optional
              The id or name of a live resource to adopt.
          protect: true or false
              optional
              True: the resource is never deleted or replaced, whatever is granted.
          movedFrom: a string
              optional
              The address that the resource had before: Kind/name.
          drift: one of correct, warn, ignore
              optional
              `correct` corrects drift (the default). `warn` reports drift and leaves it. `ignore` leaves drift and does not report it.
    "#]].assert_eq(&explain(&REGISTRY, "Subscription.lifecycle").unwrap());
    assert!(explain(&REGISTRY, "Subscription.arn").unwrap().starts_with("Subscription.arn: a string\n"));
    assert!(explain(&REGISTRY, "Subscription.tags").is_err(), "the kind has no tags");
    assert!(explain(&REGISTRY, "Vpc.tags").is_ok());
    let manual = manual(REGISTRY.get("Subscription").unwrap());
    let row = |field: &str| manual.lines().find(|line| line.starts_with(&format!("| `{field}`"))).unwrap().to_owned();
    expect![[r#"
        | `protocol` | a string | optional; AWS's default is "https"; must be `https` or `sqs` | The protocol. |
        | `retries` | a whole number | optional; must be 0 to 100 | The number of retries. |
        | `topics` | a list of strings | optional; must have 1 to 2 elements; each element must have 1 to 8 characters; each element must match `[a-z]+\|[0-9]+` | The topics by name. |"#]].assert_eq(&[row("protocol"), row("retries"), row("topics")].join("\n"));
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

        ## Fields of every kind

        `name`, `tags`, `lifecycle`, `dependsOn`, `forEach`, `when`, `region`, `id` are described in [documents](../documents.md#resources).

        ## Attributes

        Expressions can read these attributes, and the fields: `${Service.name.attribute}`.

        | attribute | type | description |
        |---|---|---|
        | `id` | a string | The id of the live resource. |
        | `name` | a string | The physical name of the live resource. |
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

        ## Fields of every kind

        `name`, `tags`, `lifecycle`, `dependsOn`, `forEach`, `when`, `region`, `id` are described in [documents](../documents.md#resources).

        ## Attributes

        Expressions can read these attributes, and the fields: `${SecurityGroup.name.attribute}`.

        | attribute | type | description |
        |---|---|---|
        | `id` | a string | The id of the live resource. |
        | `name` | a string | The physical name of the live resource. |
        | `arn` | a string | The ARN. |
    "#]]
    .assert_eq(&manual(group));
}
