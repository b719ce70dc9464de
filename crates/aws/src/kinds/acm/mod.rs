//! Certificate Manager.

pub(crate) mod certificate;
mod validation;
