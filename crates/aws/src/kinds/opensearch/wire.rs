//! A domain's configuration, to and from the SDK.
