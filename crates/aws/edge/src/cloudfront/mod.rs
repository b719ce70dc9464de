//! CloudFront: policies with an owner marker in their text, and distributions, whose configuration is replaced as a
//! whole.

/// Builds one of CloudFront's lists from its builder and the items, with the `Quantity` that CloudFront requires.
macro_rules! items {
    ($builder:expr, $items:expr) => {{
        let items: Vec<_> = $items.into_iter().collect();
        let quantity = i32::try_from(items.len()).unwrap_or(i32::MAX);
        $builder.quantity(quantity).set_items(Some(items)).build()
    }};
}

pub(crate) mod cache_policy;
pub(crate) mod distribution;
pub(crate) mod origin_access_control;
pub(crate) mod origin_request_policy;
mod policy;
pub(crate) mod response_headers_policy;
mod selection;
#[cfg(test)]
mod tests;

holdfast_base::client!(cloudfront: aws_sdk_cloudfront);
