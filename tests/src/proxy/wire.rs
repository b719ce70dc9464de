//! Identifies a request to AWS by its bytes: protocol, service, region and operation.

use http::request::Parts;

/// The protocol of a service: the format of its requests and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Ec2,
    Query,
    Json,
    Cbor,
    RestXml,
    RestJson,
}

/// The identity of a request: protocol, signature and operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestIdentity {
    pub(crate) protocol: Protocol,
    pub(crate) service: String,
    pub(crate) region: String,
    pub(crate) operation: String,
    pub(crate) access_key: String,
    pub(crate) mutating: bool,
    pub(crate) fence: Option<u64>,
}

/// Returns the fencing number in a user agent.
fn fence(agent: &str) -> Option<u64> {
    agent.rsplit_once("md/holdfast-fence#")?.1.parse().ok()
}

/// The first words of the operations that only read. AssumeRole of STS returns credentials and changes no resource.
const READ_PREFIXES: [&str; 22] = [
    "Describe",
    "List",
    "Get",
    "BatchGet",
    "BatchDescribe",
    "BatchCheck",
    "TransactGet",
    "Head",
    "Lookup",
    "Search",
    "Filter",
    "Query",
    "Scan",
    "Select",
    "Check",
    "Validate",
    "Verify",
    "Simulate",
    "Preview",
    "Estimate",
    "AssumeRole",
    "Decode",
];

/// Identifies a request. Returns `None` for a request to the emulator's own API, which is not a call of AWS.
pub(crate) fn identify(parts: &Parts, body: &[u8]) -> Option<RequestIdentity> {
    let path = parts.uri.path();
    if path.starts_with("/holdfast/") || path.starts_with("/moto-api") {
        return None;
    }
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let query = pairs(parts.uri.query().unwrap_or_default());
    let scope = header("authorization").and_then(credential).or_else(|| presigned(&query)).unwrap_or_default();
    let identity = |protocol, fallback: &str, operation: String, mutating| RequestIdentity {
        protocol,
        service: if scope.service.is_empty() { fallback.to_owned() } else { scope.service.clone() },
        region: scope.region.clone(),
        operation,
        access_key: scope.access_key.clone(),
        mutating,
        fence: header("user-agent").and_then(fence),
    };

    if let Some((service, operation)) = rpc(path) {
        let json = header("smithy-protocol") == Some("rpc-v2-json");
        let protocol = if json { Protocol::Json } else { Protocol::Cbor };
        return Some(identity(protocol, service, operation.to_owned(), !is_read(operation)));
    }
    if let Some(target) = header("x-amz-target") {
        let (fallback, operation) = target.rsplit_once('.').unwrap_or(("unsigned", target));
        return Some(identity(Protocol::Json, fallback, operation.to_owned(), !is_read(operation)));
    }
    let form = header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let fields = if form { pairs(&String::from_utf8_lossy(body)) } else { Vec::new() };
    let field = |name: &str| fields.iter().chain(&query).find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    if let Some(operation) = field("Action") {
        let protocol = if scope.service == "ec2" { Protocol::Ec2 } else { Protocol::Query };
        let is_dry_run = field("DryRun") == Some("true");
        return Some(identity(protocol, "unsigned", operation.to_owned(), !is_read(operation) && !is_dry_run));
    }

    let service = if scope.service.is_empty() { "unsigned" } else { &scope.service };
    let operation = format!("{} {}", parts.method, template(service, path, &query));
    // Two POST operations only read: Route 53's ListTagsForResources and S3's SelectObjectContent.
    let is_post_read = parts.method == "POST"
        && match service {
            "route53" => path.contains("/tags/") && !operation.ends_with("{id}"),
            "s3" => operation.contains("?select"),
            _ => false,
        };
    let mutating = !(parts.method == "GET" || parts.method == "HEAD" || is_post_read);
    let protocol = match service {
        "s3" | "s3control" | "route53" | "cloudfront" => Protocol::RestXml,
        _ => Protocol::RestJson,
    };
    Some(identity(protocol, "unsigned", operation, mutating))
}

/// Returns the decoded fields of a form or a query string.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |word: &str| {
        let word = word.replace('+', " ");
        urlencoding::decode(&word).map_or(word.clone(), |plain| plain.into_owned())
    };
    let words = text.split('&').filter(|word| !word.is_empty());
    words.map(|word| word.split_once('=').unwrap_or((word, ""))).map(|(n, v)| (decode(n), decode(v))).collect()
}

fn is_read(operation: &str) -> bool {
    READ_PREFIXES.iter().any(|word| operation.starts_with(word))
}

#[derive(Default)]
struct CredentialScope {
    access_key: String,
    region: String,
    service: String,
}

/// Parses the scope in `Credential=KEY/date/region/service/aws4_request`. SigV4A omits the region.
fn credential(text: &str) -> Option<CredentialScope> {
    let (_, rest) = text.split_once("Credential=")?;
    let mut words = rest.split([',', ' ']).next()?.rsplit('/');
    (words.next()? == "aws4_request").then_some(())?;
    let service = words.next()?.to_owned();
    let mut rest: Vec<&str> = words.collect();
    rest.reverse();
    Some(match rest[..] {
        [.., key, _date, region] => CredentialScope { access_key: key.to_owned(), region: region.to_owned(), service },
        [key, _date] => CredentialScope { access_key: key.to_owned(), region: "*".to_owned(), service },
        _ => return None,
    })
}

fn presigned(query: &[(String, String)]) -> Option<CredentialScope> {
    let (_, scope) = query.iter().find(|(name, _)| name == "X-Amz-Credential")?;
    credential(&format!("Credential={scope}"))
}

/// Returns the service and operation of the path `/service/X/operation/Y`.
fn rpc(path: &str) -> Option<(&str, &str)> {
    let (service, operation) = path.strip_prefix("/service/")?.split_once("/operation/")?;
    (!service.is_empty() && !operation.is_empty() && !operation.contains('/')).then_some((service, operation))
}

/// Returns the path of a REST call with `{id}` in the place of each resource id.
fn template(service: &str, path: &str, query: &[(String, String)]) -> String {
    if service == "s3" {
        let base = match path.trim_start_matches('/').split_once('/') {
            None if path.trim_matches('/').is_empty() => "/",
            None | Some((_, "")) => "/{bucket}",
            Some(_) => "/{bucket}/{key}",
        };
        let parts =
            query.iter().filter(|(name, value)| value.is_empty() || matches!(&**name, "list-type" | "uploadId"));
        let parts: Vec<&str> = parts.map(|(name, _)| name.as_str()).collect();
        return if parts.is_empty() { base.to_owned() } else { format!("{base}?{}", parts.join("&")) };
    }
    let mut position = 0;
    let mut text = String::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        text.push('/');
        let is_literal = if is_version(segment) {
            true
        } else if service == "route53" {
            // The words of its paths have only lower-case letters, and its ids have other characters. Words and ids do
            // not alternate in /tags/{type}/{id}.
            segment.bytes().all(|byte| byte.is_ascii_lowercase())
        } else {
            position += 1;
            position % 2 == 1
        };
        text.push_str(if is_literal { segment } else { "{id}" });
    }
    if text.is_empty() { "/".to_owned() } else { text }
}

/// True for the version of an API: `2013-04-01`, `v1`.
fn is_version(segment: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    (segment.len() == 10 && number(segment)) || segment.strip_prefix('v').is_some_and(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn auth(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    }

    fn check(service: &str, line: &str, headers: &[(&str, &str)], body: &str, expected: &str) {
        let (method, path) = line.split_once(' ').expect("METHOD path");
        let mut request = Request::builder().method(method).uri(path);
        if !service.is_empty() {
            request = request.header("authorization", auth(service));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let found = identify(&parts, body.as_bytes()).map_or("none".to_owned(), |identity| {
            let mark = if identity.mutating { "!" } else { "" };
            format!("{:?} {}.{}{mark}", identity.protocol, identity.service, identity.operation)
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn the_operation_is_found_in_every_protocol() {
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        check("ec2", "POST /", &form, "Action=CreateVpc&Version=2016-11-15", "Ec2 ec2.CreateVpc!");
        check("ec2", "POST /", &form, "Version=2016-11-15&Action=DescribeVpcs", "Ec2 ec2.DescribeVpcs");
        check("ec2", "POST /", &form, "Action=CreateVpc&DryRun=true", "Ec2 ec2.CreateVpc");
        check("iam", "POST /", &form, "Action=CreateRole&RoleName=a%2Fb", "Query iam.CreateRole!");
        check("sts", "POST /", &form, "Action=GetCallerIdentity", "Query sts.GetCallerIdentity");
        check("sts", "POST /", &form, "Action=AssumeRole", "Query sts.AssumeRole");
        check("", "POST /", &form, "Action=AssumeRoleWithWebIdentity", "Query unsigned.AssumeRoleWithWebIdentity");
        let target = [("x-amz-target", "AmazonEC2ContainerServiceV20141113.CreateCluster")];
        check("ecs", "POST /", &target, "{}", "Json ecs.CreateCluster!");
        let target = [("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.BatchGetImage")];
        check("ecr", "POST /", &target, "{}", "Json ecr.BatchGetImage");
        let cbor = [("smithy-protocol", "rpc-v2-cbor")];
        let path = "POST /service/GraniteServiceVersion20100801/operation/PutMetricAlarm";
        check("monitoring", path, &cbor, "", "Cbor monitoring.PutMetricAlarm!");
        check("", path, &cbor, "", "Cbor GraniteServiceVersion20100801.PutMetricAlarm!");
        check("", "POST /holdfast/reset", &[], "", "none");
        check("", "GET /moto-api/data.json", &[], "", "none");
    }

    #[test]
    fn the_operation_of_a_rest_call_is_its_path_template() {
        let route53 = |line: &str, expected: &str| check("route53", line, &[], "", expected);
        route53("POST /2013-04-01/hostedzone", "RestXml route53.POST /2013-04-01/hostedzone!");
        route53(
            "GET /2013-04-01/hostedzone/Z0ABC/rrset?name=a",
            "RestXml route53.GET /2013-04-01/hostedzone/{id}/rrset",
        );
        route53("POST /2013-04-01/hostedzone/ZABC/rrset/", "RestXml route53.POST /2013-04-01/hostedzone/{id}/rrset!");
        route53("POST /2013-04-01/tags/hostedzone", "RestXml route53.POST /2013-04-01/tags/hostedzone");
        route53("POST /2013-04-01/tags/hostedzone/ZA", "RestXml route53.POST /2013-04-01/tags/hostedzone/{id}!");
        let id = "0f0a2b9e-1111-4a4a-8d0c-3f1d6a2b0c9d";
        route53(
            &format!("DELETE /2013-04-01/healthcheck/{id}"),
            "RestXml route53.DELETE /2013-04-01/healthcheck/{id}!",
        );
        let s3 = |line: &str, expected: &str| check("s3", line, &[], "", expected);
        s3("GET /?x-id=ListBuckets", "RestXml s3.GET /");
        s3("HEAD /logs", "RestXml s3.HEAD /{bucket}");
        s3("PUT /logs/?tagging", "RestXml s3.PUT /{bucket}?tagging!");
        s3("GET /logs?list-type=2&prefix=a", "RestXml s3.GET /{bucket}?list-type");
        s3("PUT /logs/a/b%20c", "RestXml s3.PUT /{bucket}/{key}!");
        check(
            "cloudfront",
            "GET /2020-05-31/distribution/E1/config",
            &[],
            "",
            "RestXml cloudfront.GET /2020-05-31/distribution/{id}/config",
        );
        check("lambda", "POST /2015-03-31/functions", &[], "{}", "RestJson lambda.POST /2015-03-31/functions!");
    }

    #[test]
    fn the_scope_comes_from_the_signature() {
        let scope = credential(&auth("ec2")).expect("a scope");
        assert_eq!((&*scope.access_key, &*scope.region, &*scope.service), ("AKID", "eu-west-1", "ec2"));
        let scope = credential("AWS4-ECDSA-P256-SHA256 Credential=AKID/20260101/s3/aws4_request, x").expect("a scope");
        assert_eq!((&*scope.access_key, &*scope.region, &*scope.service), ("AKID", "*", "s3"));
        let query = pairs("X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fs3%2Faws4_request");
        assert_eq!(presigned(&query).expect("a scope").service, "s3");
        assert!(credential("Basic abc").is_none());
    }
}
