//! Error replies in the format of each protocol.

use super::rule::Reply;
use super::wire::{Protocol, RequestIdentity};

/// Returns a reply with the error `code` in the protocol of the request. `id` is the request id.
pub(crate) fn error(identity: &RequestIdentity, status: u16, code: &str, message: &str, id: &str) -> Reply {
    let sender = if status < 500 { "Sender" } else { "Receiver" };
    let (plain, plain_message) = (code, message);
    let (code, message) = (&escape(code), &escape(message));
    let xml = |text: String| Reply::new(status, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}"));
    let json = || Reply::new(status, serde_json::json!({ "__type": plain, "message": plain_message }).to_string());
    let reply = match identity.protocol {
        Protocol::Ec2 => xml(format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
             <RequestID>{id}</RequestID></Response>"
        )),
        Protocol::RestXml if identity.service == "s3" => {
            xml(format!("<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{id}</RequestId></Error>"))
        }
        Protocol::Query | Protocol::RestXml => xml(format!(
            "<ErrorResponse><Error><Type>{sender}</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>{id}</RequestId></ErrorResponse>"
        )),
        Protocol::Json | Protocol::RestJson => json().header("x-amzn-errortype", plain),
        Protocol::Cbor => Reply::new(status, cbor(&[("__type", plain), ("message", plain_message)])),
    };
    let id_header = if identity.service == "s3" { "x-amz-request-id" } else { "x-amzn-requestid" };
    add_protocol_headers(identity, reply).header(id_header, id)
}

/// Returns the throttling error of the service: status, code and message.
pub(crate) fn throttle(identity: &RequestIdentity) -> (u16, &'static str, &'static str) {
    match identity.protocol {
        Protocol::Ec2 => (503, "RequestLimitExceeded", "Request limit exceeded."),
        Protocol::RestXml if identity.service == "s3" => (503, "SlowDown", "Please reduce your request rate."),
        Protocol::Query | Protocol::RestXml => (400, "Throttling", "Rate exceeded"),
        Protocol::Json | Protocol::Cbor => (400, "ThrottlingException", "Rate exceeded"),
        Protocol::RestJson => (429, "TooManyRequestsException", "Rate exceeded"),
    }
}

/// Adds the headers that clients of the protocol require, unless the reply has them.
pub(crate) fn add_protocol_headers(identity: &RequestIdentity, mut reply: Reply) -> Reply {
    let kind = match identity.protocol {
        Protocol::Ec2 | Protocol::Query | Protocol::RestXml => "text/xml",
        Protocol::Json => "application/x-amz-json-1.1",
        Protocol::RestJson => "application/json",
        Protocol::Cbor => "application/cbor",
    };
    if !reply.headers.contains_key("content-type") {
        reply = reply.header("content-type", kind);
    }
    if identity.protocol == Protocol::Cbor && !reply.headers.contains_key("smithy-protocol") {
        reply = reply.header("smithy-protocol", "rpc-v2-cbor");
    }
    reply
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Encodes a CBOR map of texts (RFC 8949): major type 5, then pairs of major type 3.
fn cbor(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    head(&mut bytes, 5, entries.len());
    for word in entries.iter().flat_map(|(name, value)| [name, value]) {
        head(&mut bytes, 3, word.len());
        bytes.extend_from_slice(word.as_bytes());
    }
    bytes
}

fn head(bytes: &mut Vec<u8>, major: u8, length: usize) {
    let major = major << 5;
    let wide = u16::try_from(length).expect("a test's message is shorter than 64 KiB");
    match u8::try_from(wide) {
        Ok(short) if short < 24 => bytes.push(major | short),
        Ok(byte) => bytes.extend([major | 24, byte]),
        Err(_) => {
            bytes.push(major | 25);
            bytes.extend(wide.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(protocol: Protocol, service: &str) -> RequestIdentity {
        RequestIdentity {
            protocol,
            service: service.to_owned(),
            region: "us-east-1".to_owned(),
            operation: "CreateThing".to_owned(),
            access_key: "AKID".to_owned(),
            mutating: true,
            fence: None,
        }
    }

    #[test]
    fn each_protocol_has_its_own_error_format() {
        let text = |protocol, service| {
            let reply = error(&identity(protocol, service), 400, "Bad", "a < b", "r-1");
            assert_eq!(reply.status, 400);
            reply.text().trim_start_matches("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").to_owned()
        };
        assert_eq!(
            text(Protocol::Ec2, "ec2"),
            "<Response><Errors><Error><Code>Bad</Code><Message>a &lt; b</Message></Error></Errors>\
             <RequestID>r-1</RequestID></Response>"
        );
        assert_eq!(
            text(Protocol::Query, "iam"),
            "<ErrorResponse><Error><Type>Sender</Type><Code>Bad</Code><Message>a &lt; b</Message></Error>\
             <RequestId>r-1</RequestId></ErrorResponse>"
        );
        assert_eq!(text(Protocol::RestXml, "route53"), text(Protocol::Query, "iam"));
        assert_eq!(
            text(Protocol::RestXml, "s3"),
            "<Error><Code>Bad</Code><Message>a &lt; b</Message><RequestId>r-1</RequestId></Error>"
        );
        assert_eq!(text(Protocol::Json, "ecs"), r#"{"__type":"Bad","message":"a < b"}"#);
        assert_eq!(text(Protocol::RestJson, "lambda"), r#"{"__type":"Bad","message":"a < b"}"#);
        assert_eq!(text(Protocol::Cbor, "monitoring"), "\u{FFFD}f__typecBadgmessageea < b");
        let json = error(&identity(Protocol::Json, "ecs"), 400, "Bad", "", "r-1");
        assert_eq!(json.headers["x-amzn-errortype"], "Bad");
        let cbor = error(&identity(Protocol::Cbor, "monitoring"), 400, "Bad", "", "r-1");
        assert_eq!(cbor.headers["smithy-protocol"], "rpc-v2-cbor");
        assert_eq!(cbor.headers["content-type"], "application/cbor");
        assert!(error(&identity(Protocol::Query, "iam"), 500, "X", "", "").text().contains("<Type>Receiver</Type>"));
    }

    #[test]
    fn longer_texts_have_longer_heads() {
        assert_eq!(cbor(&[("a", "b")]), [0xA1, 0x61, b'a', 0x61, b'b']);
        assert_eq!(cbor(&[("a", &"b".repeat(24))])[3..5], [0x78, 24]);
        assert_eq!(cbor(&[("a", &"b".repeat(300))])[3..6], [0x79, 1, 44]);
    }
}
