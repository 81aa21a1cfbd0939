//! Templates: parsing, checking, binding to parameters, resolving. Pure: no calls, no clock.

mod bound;
mod capabilities;
mod conditions;
mod functions;
mod parameters;
mod properties;
mod references;
mod scope;
mod sections;
#[cfg(test)]
mod tests;
mod text;
mod transforms;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub(crate) use bound::{Bound, BoundResource, Policy};
pub(crate) use capabilities::NeededCapabilities;
pub(crate) use parameters::ParameterDeclaration;
pub(crate) use scope::Pseudo;
pub(crate) use transforms::TransformCall;

use super::resource_types::{ResourceType, resource_type};

/// The reason why a template is invalid: the message of CloudFormation's `ValidationError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TemplateError(pub String);

impl TemplateError {
    /// `Template format error: …`.
    fn format(what: impl std::fmt::Display) -> Self {
        Self(format!("Template format error: {what}"))
    }

    /// `Template error: …`.
    fn error(what: impl std::fmt::Display) -> Self {
        Self(format!("Template error: {what}"))
    }
}

/// The values of `Ref` and `Fn::GetAtt` for created resources.
pub(crate) trait ResourceValues {
    /// The value of `Ref`: the physical ID, unless the type's documentation specifies another value.
    fn reference(&self, logical_id: &str) -> Option<String>;
    /// The value of `Fn::GetAtt`.
    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value>;
}

/// Finds a resource type by name.
type Types = fn(&str) -> Option<&'static ResourceType>;

/// A parsed template. Before its macros are expanded, only its outermost structure is checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    document: Value,
}

impl Template {
    /// Parses YAML with short forms, or JSON.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        Self::from_document(text::read(text)?)
    }

    /// Creates a template from a document with full function names.
    pub(crate) fn from_document(document: Value) -> Result<Self, TemplateError> {
        sections::check_root(&document)?;
        let template = Self { document };
        if template.next_transform().is_none() {
            template.check()?;
        }
        Ok(template)
    }

    /// The document with full function names.
    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    /// The description.
    pub(crate) fn description(&self) -> Option<&str> {
        self.document["Description"].as_str()
    }

    /// The declared parameters, in order.
    pub(crate) fn parameters(&self) -> Vec<ParameterDeclaration> {
        parameters::declarations(&self.document)
    }

    /// The parameters' values: those supplied, or their defaults, checked against their constraints.
    pub(crate) fn parameter_values(
        &self,
        supplied: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, Value>, TemplateError> {
        parameters::values(&self.parameters(), supplied)
    }

    /// The names of the macros in use.
    pub(crate) fn declared_transforms(&self) -> Vec<String> {
        transforms::names(&self.document)
    }

    /// The next macro call: the deepest first, the template's own `Transform` last.
    pub(crate) fn next_transform(&self) -> Option<TransformCall> {
        transforms::next(&self.document)
    }

    /// Replaces a macro call by its result.
    pub(crate) fn replace(&mut self, pointer: &str, fragment: Value) -> Result<(), TemplateError> {
        transforms::replace(&mut self.document, pointer, fragment)
    }

    /// The capabilities that a stack requires.
    pub(crate) fn needed_capabilities(&self) -> NeededCapabilities {
        capabilities::needed(&self.document)
    }

    /// Evaluates the conditions, and checks all references, types and properties.
    pub(crate) fn bind(&self, parameters: BTreeMap<String, Value>, pseudo: Pseudo) -> Result<Bound, TemplateError> {
        self.bind_with(parameters, pseudo, resource_type)
    }

    /// Checks that every resource type exists, without parameters, as `ValidateTemplate` does.
    pub(crate) fn check_types(&self) -> Result<(), TemplateError> {
        properties::check_types(&self.document, resource_type)
    }

    fn bind_with(
        &self,
        parameters: BTreeMap<String, Value>,
        pseudo: Pseudo,
        types: Types,
    ) -> Result<Bound, TemplateError> {
        self.check()?;
        Bound::new(self.document.clone(), parameters, pseudo, types)
    }

    /// Runs the checks that need neither parameters nor resource types.
    fn check(&self) -> Result<(), TemplateError> {
        sections::check(&self.document)?;
        functions::check(&self.document)?;
        references::check(&self.document)
    }
}

/// The entries of a section; empty if the section is missing.
fn section<'a>(document: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    document.get(name).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}
