//! Policies that stand on the resource's side: a role's trust, a bucket's or a repository's policy.

use std::collections::HashMap;

use awsim_core::{ContextValue, RequestContext};
use awsim_iam_policy::{AuthzRequest, Decision, Effect, EvalContext, PolicyDocument, Principal, Statement, evaluate};
use serde_json::Value;

use crate::account::ACCOUNT;
use crate::authz::caller::{Caller, root_arn};
use crate::authz::conditions::global_conditions;

/// Whom a policy may name.
#[derive(Debug, Clone, Default)]
pub(crate) struct PrincipalMatcher {
    /// ARNs: a session goes by its own and by its role's.
    arns: Vec<String>,
    /// `lambda.amazonaws.com`.
    service: Option<String>,
}

/// How a statement names somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    No,
    /// By way of the account, which leaves it to the account's own policies.
    Account,
    Yes,
}

impl PrincipalMatcher {
    /// One who signs requests.
    pub(crate) fn caller(caller: &Caller) -> Self {
        let mut arns = vec![caller.arn()];
        if let Caller::Session(session) = caller {
            arns.push(session.principal.clone());
        }
        Self { arns, service: None }
    }

    /// A service of AWS.
    pub(crate) fn service(name: &str) -> Self {
        Self { arns: Vec::new(), service: Some(name.to_owned()) }
    }

    fn named_by(&self, statement: &Statement) -> Naming {
        match (&statement.principal, &statement.not_principal) {
            (Some(principal), _) => self.named_in(principal),
            (None, Some(others)) if self.named_in(others) == Naming::No => Naming::Yes,
            _ => Naming::No,
        }
    }

    fn named_in(&self, principal: &Principal) -> Naming {
        let (aws, services): (&[String], &[String]) = match principal {
            Principal::Wildcard => return Naming::Yes,
            Principal::Aws(aws) => (aws, &[]),
            Principal::Service(services) => (&[], services),
            Principal::Mixed { aws, service, .. } => (aws, service),
            Principal::Federated(_) | Principal::CanonicalUser(_) => (&[], &[]),
        };
        if self.service.as_ref().is_some_and(|name| services.contains(name)) {
            return Naming::Yes;
        }
        if self.arns.is_empty() {
            return Naming::No;
        }
        let root = root_arn();
        if aws.iter().any(|name| name == "*" || self.arns.contains(name)) {
            Naming::Yes
        } else if aws.iter().any(|name| name == ACCOUNT || *name == root) {
            Naming::Account
        } else {
            Naming::No
        }
    }
}

/// The statements of a policy that are about a matcher, with a principal that the evaluation takes for anybody.
pub(crate) fn statements_for(policy: &PolicyDocument, matcher: &PrincipalMatcher) -> PolicyDocument {
    kept(policy, |statement| match matcher.named_by(statement) {
        Naming::Yes => true,
        // To allow the account is to leave it to the account's policies; to deny it is to deny everyone in it.
        Naming::Account => statement.effect == Effect::Deny,
        Naming::No => false,
    })
}

fn kept(policy: &PolicyDocument, keep: impl Fn(&Statement) -> bool) -> PolicyDocument {
    let statements = policy.statements.iter().filter(|statement| keep(statement));
    let statements = statements.map(|statement| Statement {
        principal: Some(Principal::Wildcard),
        not_principal: None,
        ..statement.clone()
    });
    PolicyDocument { statements: statements.collect(), ..policy.clone() }
}

/// Whether a role trusts somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    No,
    /// As far as the policies of the account allow it.
    Account,
    Yes,
}

/// Whether a role's trust policy lets a matcher assume it, under these conditions.
pub(crate) fn trust(
    document: &Value,
    matcher: &PrincipalMatcher,
    role_arn: &str,
    request: &RequestContext,
    conditions: &[(&str, &str)],
) -> Trust {
    // A policy that cannot be understood trusts nobody.
    let Some(policy) = read(document) else { return Trust::No };
    let mut context: HashMap<String, ContextValue> = global_conditions(request);
    for (key, value) in conditions {
        context.insert((*key).to_owned(), ContextValue::String((*value).to_owned()));
    }
    let decide = |policy: PolicyDocument| {
        let asked = AuthzRequest {
            principal_arn: matcher.arns.first().map_or("", String::as_str),
            principal_account: ACCOUNT,
            action: "sts:AssumeRole",
            resource_arn: role_arn,
            context: &context,
        };
        let identity_policies = [policy];
        evaluate(&asked, &EvalContext { identity_policies: &identity_policies, ..EvalContext::default() })
    };
    match decide(statements_for(&policy, matcher)) {
        Decision::Allow => Trust::Yes,
        Decision::ExplicitDeny => Trust::No,
        Decision::ImplicitDeny => {
            let by_account = kept(&policy, |statement| matcher.named_by(statement) == Naming::Account);
            if decide(by_account) == Decision::Allow { Trust::Account } else { Trust::No }
        }
    }
}

/// A policy's document: IAM answers it percent-encoded.
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
