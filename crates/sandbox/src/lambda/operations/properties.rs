//! Property tests of the routes.

use awsim_core::Protocol;
use awsim_core::protocol::{ParsedRequest, RouteDefinition, parse_request};
use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;
use crate::lambda::unsupported_routes;
use crate::operation::routes;

fn parsed(method: &str, path: &str) -> Result<ParsedRequest, AwsError> {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let uri: Uri = path.parse().expect("a path");
    parse_request(Protocol::RestJson1, &method, &uri, &HeaderMap::new(), &Bytes::new(), &routes::<LambdaService>())
}

proptest! {
    #[test]
    fn every_route_is_found_with_its_parameters(
        route in prop::sample::select(routes::<LambdaService>()),
        value in "[a-zA-Z0-9:$_/ %?#+-]{1,60}",
    ) {
        let RouteDefinition { method, path_pattern, operation, .. } = route;
        let escaped = utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string();
        let (mut path, mut names) = (String::new(), Vec::new());
        for segment in path_pattern.split('/').skip(1) {
            path.push('/');
            match segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}')) {
                Some(name) => {
                    names.push(name);
                    path.push_str(&escaped);
                }
                None => path.push_str(segment),
            }
        }
        let request = parsed(method, &path).expect("a route");
        prop_assert_eq!(request.operation.as_str(), operation);
        for name in names {
            prop_assert_eq!(&request.input[name], &value);
        }
    }

    #[test]
    fn any_path_is_an_operation_or_unknown(
        method in prop::sample::select(&["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"][..]),
        path in "(/|/functions|/2015-03-31|/invocations|%[0-9a-f]{2}|[a-z{}.]){0,12}",
    ) {
        let Ok(uri) = format!("/{path}").parse::<Uri>() else { return Ok(()) };
        match parsed(method, &uri.to_string()) {
            Ok(request) => prop_assert!(!request.operation.is_empty()),
            Err(error) => prop_assert_eq!(error.code, "UnknownOperationException"),
        }
    }
}

#[test]
fn unsupported_routes_are_recognised() {
    for (method, pattern, operation) in unsupported_routes::ROUTES {
        // No supported route may shadow it.
        let request = parsed(method, &pattern.replace(['{', '}'], "")).expect("a route");
        assert_eq!(request.operation, *operation, "{method} {pattern}");
    }
}
