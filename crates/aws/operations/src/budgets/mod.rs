//! AWS Budgets: budgets and their notifications.

pub(crate) mod budget;
mod wire;

holdfast_base::client!(budgets: aws_sdk_budgets);
