//! DynamoDB over its HTTP API, as pure functions: the shell sends the bytes.

pub mod sign;
