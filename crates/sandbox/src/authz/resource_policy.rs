//! Resource-based policies: a role's trust policy, a bucket's or a repository's policy.

use std::collections::HashMap;

use awsim_core::{ContextValue, RequestContext};
use awsim_iam_policy::{AuthzRequest, Decision, Effect, EvalContext, PolicyDocument, Principal, Statement, evaluate};
use serde_json::Value;

use crate::account::ACCOUNT;
use crate::authz::caller::{Caller, root_arn};
use crate::authz::conditions::global_conditions;

/// Matches a principal against the `Principal` of statements.
#[derive(Debug, Clone, Default)]
pub(crate) struct PrincipalMatcher {
    /// ARNs: a session has its own and its role's.
    arns: Vec<String>,
    /// `lambda.amazonaws.com`.
    service: Option<String>,
}

/// How a statement matches a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PrincipalMatch {
    No,
    /// By the account, whose own policies decide.
    Account,
    Yes,
}

impl PrincipalMatcher {
    /// A matcher of the signer of a request.
    pub(crate) fn caller(caller: &Caller) -> Self {
        let mut arns = vec![caller.arn()];
        if let Caller::Session(session) = caller {
            arns.push(session.principal.clone());
        }
        Self { arns, service: None }
    }

    /// A matcher of an AWS service.
    pub(crate) fn service(name: &str) -> Self {
        Self { arns: Vec::new(), service: Some(name.to_owned()) }
    }

    fn match_statement(&self, statement: &Statement) -> PrincipalMatch {
        match (&statement.principal, &statement.not_principal) {
            (Some(principal), _) => self.match_principal(principal),
            (None, Some(others)) if self.match_principal(others) == PrincipalMatch::No => PrincipalMatch::Yes,
            _ => PrincipalMatch::No,
        }
    }

    fn match_principal(&self, principal: &Principal) -> PrincipalMatch {
        let (aws, services): (&[String], &[String]) = match principal {
            Principal::Wildcard => return PrincipalMatch::Yes,
            Principal::Aws(aws) => (aws, &[]),
            Principal::Service(services) => (&[], services),
            Principal::Mixed { aws, service, .. } => (aws, service),
            Principal::Federated(_) | Principal::CanonicalUser(_) => (&[], &[]),
        };
        if self.service.as_ref().is_some_and(|name| services.contains(name)) {
            return PrincipalMatch::Yes;
        }
        if self.arns.is_empty() {
            return PrincipalMatch::No;
        }
        let root = root_arn();
        if aws.iter().any(|name| name == "*" || self.arns.contains(name)) {
            PrincipalMatch::Yes
        } else if aws.iter().any(|name| name == ACCOUNT || *name == root) {
            PrincipalMatch::Account
        } else {
            PrincipalMatch::No
        }
    }
}

/// The statements of a policy that match a principal, with a wildcard principal for the evaluation.
pub(crate) fn statements_for(policy: &PolicyDocument, matcher: &PrincipalMatcher) -> PolicyDocument {
    filter_statements(policy, |statement| match matcher.match_statement(statement) {
        PrincipalMatch::Yes => true,
        // Allowing the account delegates to its own policies; denying it denies all of its principals.
        PrincipalMatch::Account => statement.effect == Effect::Deny,
        PrincipalMatch::No => false,
    })
}

fn filter_statements(policy: &PolicyDocument, keep: impl Fn(&Statement) -> bool) -> PolicyDocument {
    let statements = policy.statements.iter().filter(|statement| keep(statement));
    let statements = statements.map(|statement| Statement {
        principal: Some(Principal::Wildcard),
        not_principal: None,
        ..statement.clone()
    });
    PolicyDocument { statements: statements.collect(), ..policy.clone() }
}

/// Whether a role trusts a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    No,
    /// If the account's own policies allow it.
    Account,
    Yes,
}

/// Evaluates a role's trust policy for a principal and these condition keys.
pub(crate) fn trust(
    document: &Value,
    matcher: &PrincipalMatcher,
    role_arn: &str,
    request: &RequestContext,
    conditions: &[(&str, &str)],
) -> Trust {
    // An invalid policy trusts no principal.
    let Some(policy) = read(document) else { return Trust::No };
    let mut context: HashMap<String, ContextValue> = global_conditions(request);
    for (key, value) in conditions {
        context.insert((*key).to_owned(), ContextValue::String((*value).to_owned()));
    }
    let decide = |policy: PolicyDocument| {
        let authz_request = AuthzRequest {
            principal_arn: matcher.arns.first().map_or("", String::as_str),
            principal_account: ACCOUNT,
            action: "sts:AssumeRole",
            resource_arn: role_arn,
            context: &context,
        };
        let identity_policies = [policy];
        evaluate(&authz_request, &EvalContext { identity_policies: &identity_policies, ..EvalContext::default() })
    };
    match decide(statements_for(&policy, matcher)) {
        Decision::Allow => Trust::Yes,
        Decision::ExplicitDeny => Trust::No,
        Decision::ImplicitDeny => {
            let by_account =
                filter_statements(&policy, |statement| matcher.match_statement(statement) == PrincipalMatch::Account);
            if decide(by_account) == Decision::Allow { Trust::Account } else { Trust::No }
        }
    }
}

/// Parses a policy document, which IAM returns percent-encoded.
pub(crate) fn read(document: &Value) -> Option<PolicyDocument> {
    match document {
        Value::String(text) if text.trim_start().starts_with('{') => awsim_iam_policy::parse(text).ok(),
        Value::String(text) => {
            let text = percent_encoding::percent_decode_str(text).decode_utf8().ok()?;
            awsim_iam_policy::parse(&text).ok()
        }
        other => awsim_iam_policy::parse_value(other).ok(),
    }
}
