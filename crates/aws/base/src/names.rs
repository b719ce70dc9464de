//! The names of kinds that kinds of other crates refer to. References go by name, so that no crate of kinds depends on
//! another and an edit of one kind compiles one crate.

use holdfast_core::schema::Named;

macro_rules! names {
    ($($kind:ident),* $(,)?) => {
        /// All names, so that a test can check that the registry has these kinds.
        pub const NAMES: &[&str] = &[$(stringify!($kind)),*];

        $(
            #[doc = concat!("The kind `", stringify!($kind), "`, as a reference names it.")]
            pub enum $kind {}

            impl Named for $kind {
                const KIND: &'static str = stringify!($kind);
            }
        )*
    };
}

names! {
    Alarm,
    Bucket,
    Certificate,
    Distribution,
    HealthCheck,
    HostedZone,
    InstanceProfile,
    Key,
    LoadBalancer,
    LogGroup,
    Queue,
    Role,
    RouteTable,
    Secret,
    SecurityGroup,
    Subnet,
    TaskDefinition,
    Topic,
    Vpc,
}
