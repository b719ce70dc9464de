//! AWS Budgets: budgets and their notifications.

pub(crate) mod budget;

holdfast_base::client!(budgets: aws_sdk_budgets);
