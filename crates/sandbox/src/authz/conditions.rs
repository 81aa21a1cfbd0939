//! The condition keys that every policy can use.

use std::collections::HashMap;

use awsim_core::{ContextValue, RequestContext};

/// The global condition keys of a request.
pub(crate) fn global_conditions(request: &RequestContext) -> HashMap<String, ContextValue> {
    let now = chrono::Utc::now();
    let mut context = HashMap::from([
        ("aws:CurrentTime".to_owned(), ContextValue::Date(now)),
        ("aws:EpochTime".to_owned(), ContextValue::String(now.timestamp().to_string())),
        ("aws:RequestedRegion".to_owned(), ContextValue::String(request.region.clone())),
        // Policies that require TLS pass, since the loopback interface needs none.
        ("aws:SecureTransport".to_owned(), ContextValue::Bool(true)),
    ]);
    if let Some(address) = &request.source_ip {
        context.insert("aws:SourceIp".to_owned(), ContextValue::Ip(address.clone()));
    }
    context
}
