//! Certificate Manager.

pub(crate) mod certificate;
