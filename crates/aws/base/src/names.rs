//! Kinds that kinds of other crates refer to, by name: so that no crate of kinds needs another, and a change of one
//! kind compiles one of them.

use holdfast_core::schema::Named;

macro_rules! names {
    ($($kind:ident),* $(,)?) => {
        /// All of them, so that a test can see that there are such kinds.
        pub const NAMES: &[&str] = &[$(stringify!($kind)),*];

        $(
            #[doc = concat!("The kind `", stringify!($kind), "`, as what a reference names.")]
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
    InstanceProfile,
    Key,
    LoadBalancer,
    LogGroup,
    Queue,
    Role,
    Secret,
    SecurityGroup,
    Subnet,
    TaskDefinition,
    Topic,
    Vpc,
}
