//! The two services that the gate stands for: a request's target says which of them it is for.

/// One of AWS's services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Tables and their streams.
    DynamoDb,
    /// EventBridge.
    Events,
}

impl Service {
    /// Whose this target is.
    pub(crate) fn of(target: &str) -> Self {
        if target.starts_with("AWSEvents.") { Self::Events } else { Self::DynamoDb }
    }

    /// Its name in signatures.
    ///
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html>
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Events => "events",
        }
    }

    /// The media type of its requests and answers.
    ///
    /// <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::DynamoDb => "application/x-amz-json-1.0",
            Self::Events => "application/x-amz-json-1.1",
        }
    }

    /// How it names an error of its own.
    pub(crate) fn error(self, code: &str) -> String {
        match (self, code) {
            (Self::DynamoDb, "ValidationException") => format!("com.amazon.coral.validate#{code}"),
            (Self::DynamoDb, _) => format!("com.amazonaws.dynamodb.v20120810#{code}"),
            (Self::Events, _) => code.to_owned(),
        }
    }
}
