//! Resources that no journal records: found by name and tag.

use std::collections::{BTreeMap, BTreeSet};

use thumbctl_core::names::{DeploymentName, Names, Suffix};
use thumbctl_core::resource::ResourceKind;

use super::deletion::DeletionStep;
use super::teardown;
use super::typed_plan::TypedPlan;
use crate::aws::{AwsError, Tagged};
use crate::deploy_target::{DEPLOYMENT_TAG, DeployTarget, REGION_TAG};
use crate::resource::{self, listing::Listing};

/// The resources found.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// The deployment's resources, by the suffix of their names.
    found: BTreeMap<String, BTreeSet<ResourceKind>>,
    /// Resources with a matching name and another deployment's or region's tag: left alone, and reported.
    pub foreign: Vec<String>,
    /// Untagged resources, by the suffix of their names: a bucket created but not tagged, a log group of a late
    /// writer, or a policy of a stack.
    untagged: Vec<(String, ResourceKind, String)>,
    /// The suffixes with a resource of another owner.
    foreign_suffixes: BTreeSet<String>,
    /// The region searched: IAM is global, and lists other regions' resources too.
    region: String,
}

impl Leftovers {
    /// Returns the names of the resources found.
    pub fn names(&self, deployment: &DeploymentName) -> Vec<(ResourceKind, String)> {
        self.each(deployment)
            .flat_map(|(names, kinds)| kinds.iter().map(move |kind| (*kind, names.of(*kind))))
            .collect()
    }

    /// Returns the kinds of the resources found with these names.
    pub fn kinds(&self, names: &Names) -> BTreeSet<ResourceKind> {
        self.found.get(names.suffix().as_str()).cloned().unwrap_or_default()
    }

    /// Adds what the journal records, found or not, so that its deletion is recorded. Other owners' resources stay
    /// out.
    pub fn include(&mut self, names: &Names, kinds: impl IntoIterator<Item = ResourceKind>) {
        let foreign = &self.foreign;
        let ours = kinds.into_iter().filter(|kind| !foreign.contains(&names.of(*kind)));
        self.found.entry(names.suffix().as_str().to_owned()).or_default().extend(ours);
        self.found.retain(|_, kinds| !kinds.is_empty());
    }

    /// The plan that deletes everything found.
    pub(super) fn plan(&self, deployment: &DeploymentName) -> TypedPlan<DeletionStep> {
        let steps = self.each(deployment).flat_map(|(names, kinds)| {
            let suffix = format!("-{}", names.suffix().as_str());
            teardown::steps(&|kind| kinds.contains(&kind), &names, &suffix)
        });
        TypedPlan::new(steps.collect())
    }

    /// The names under the first suffix found.
    pub fn first_names(&self, deployment: &DeploymentName) -> Option<Names> {
        self.each(deployment).next().map(|(names, _)| names)
    }

    fn each<'a>(
        &'a self,
        deployment: &'a DeploymentName,
    ) -> impl Iterator<Item = (Names, &'a BTreeSet<ResourceKind>)> + 'a {
        self.found.iter().map(|(suffix, kinds)| {
            let suffix = Suffix::try_from(suffix.clone()).expect("only suffixes are collected");
            (Names::new(deployment.clone(), suffix), kinds)
        })
    }

    fn take(&mut self, deployment: &DeploymentName, kind: ResourceKind, candidates: Vec<Tagged>) {
        for candidate in candidates {
            let Some(suffix) = suffix_of(deployment, kind, &candidate.name) else { continue };
            let elsewhere = candidate.tags.get(REGION_TAG).is_some_and(|region| *region != self.region);
            match candidate.tags.get(DEPLOYMENT_TAG) {
                None if candidate.tags.is_empty() => self.untagged.push((suffix, kind, candidate.name)),
                Some(owner) if owner == deployment.as_str() && !elsewhere => {
                    self.found.entry(suffix).or_default().insert(kind);
                }
                _ => {
                    self.foreign.push(candidate.name);
                    self.foreign_suffixes.insert(suffix);
                }
            }
        }
    }

    /// Assigns untagged resources to the owner of the others with their suffix, or to this deployment without any.
    fn settle(&mut self) {
        for (suffix, kind, name) in std::mem::take(&mut self.untagged) {
            if self.foreign_suffixes.contains(&suffix) && !self.found.contains_key(&suffix) {
                self.foreign.push(name);
            } else {
                self.found.entry(suffix).or_default().insert(kind);
            }
        }
        self.foreign.sort();
        self.foreign.dedup();
    }
}

/// The suffix in a name, if this deployment gives such a name to such a resource.
fn suffix_of(deployment: &DeploymentName, kind: ResourceKind, name: &str) -> Option<String> {
    let at = name.find(&format!("{deployment}-"))? + deployment.as_str().len() + 1;
    let suffix = Suffix::try_from(name.get(at..at + 8)?.to_owned()).ok()?;
    let expected = Names::new(deployment.clone(), suffix.clone()).of(kind);
    (expected == name).then(|| suffix.as_str().to_owned())
}

/// Searches all resources that a deployment of this name could have created.
///
/// # Errors
/// When a listing fails: resources that cannot be listed cannot be reported as deleted.
pub async fn find(target: &DeployTarget, deployment: &DeploymentName) -> Result<Leftovers, AwsError> {
    let mut leftovers = Leftovers { region: target.region.clone(), ..Leftovers::default() };
    let mut kinds: BTreeMap<Listing, Vec<ResourceKind>> = BTreeMap::new();
    for resource in resource::all() {
        if let Some(listing) = resource.descriptor().listing {
            kinds.entry(listing).or_default().push(resource.kind());
        }
    }
    for (listing, kinds) in kinds {
        let found = listing.find(target, &format!("{deployment}-")).await?;
        for kind in kinds {
            leftovers.take(deployment, kind, found.clone());
        }
    }
    leftovers.settle();
    Ok(leftovers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Tags;

    fn name() -> DeploymentName {
        DeploymentName::new("thumbs").expect("a legal name")
    }

    fn found(name: &str, tags: &[(&str, &str)]) -> Tagged {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Tags>();
        Tagged { name: name.to_owned(), arn: String::new(), tags }
    }

    #[test]
    fn only_names_of_the_deployments_scheme_are_its_own() {
        let of = |kind, text| suffix_of(&name(), kind, text);
        assert_eq!(of(ResourceKind::SourceBucket, "thumbs-0a1b2c3d-source").as_deref(), Some("0a1b2c3d"));
        assert_eq!(
            of(ResourceKind::FunctionLogGroup, "/aws/lambda/thumbs-0a1b2c3d-function").as_deref(),
            Some("0a1b2c3d")
        );
        for other in [
            "thumbs-0a1b2c3d-photos",
            "thumbs-source",
            "my-thumbs-0a1b2c3d-source",
            "thumbs-0A1B2C3D-source",
            "thumbs-ü",
        ] {
            assert_eq!(of(ResourceKind::SourceBucket, other), None, "{other}");
        }
    }

    #[test]
    fn resources_with_another_owners_tag_are_left_alone() {
        let mut leftovers = Leftovers { region: "us-east-1".into(), ..Leftovers::default() };
        leftovers.take(
            &name(),
            ResourceKind::Repository,
            vec![
                found("thumbs-00000001", &[(DEPLOYMENT_TAG, "thumbs")]),
                found("thumbs-00000002", &[("team", "other")]),
                found("thumbs-00000003", &[]),
                found("thumbs-00000004", &[(DEPLOYMENT_TAG, "thumbs"), (REGION_TAG, "eu-central-1")]),
            ],
        );
        leftovers.settle();
        let names: Vec<String> = leftovers.names(&name()).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["thumbs-00000001", "thumbs-00000003"]);
        assert_eq!(leftovers.foreign, ["thumbs-00000002", "thumbs-00000004"]);
        assert_eq!(leftovers.plan(&name()).plan.steps().len(), 2);
    }

    #[test]
    fn untagged_resources_follow_others_with_their_suffix() {
        let mut leftovers = Leftovers { region: "us-east-1".into(), ..Leftovers::default() };
        let policies =
            ["00000001", "00000002", "00000003"].map(|suffix| found(&format!("thumbs-{suffix}-build-policy"), &[]));
        leftovers.take(&name(), ResourceKind::BuildPolicy, policies.to_vec());
        leftovers.take(
            &name(),
            ResourceKind::Repository,
            vec![
                found("thumbs-00000001", &[("aws:cloudformation:stack-name", "theirs")]),
                found("thumbs-00000002", &[(DEPLOYMENT_TAG, "thumbs")]),
            ],
        );
        leftovers.settle();
        let names: Vec<String> = leftovers.names(&name()).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["thumbs-00000002", "thumbs-00000002-build-policy", "thumbs-00000003-build-policy"]);
        assert_eq!(leftovers.foreign, ["thumbs-00000001", "thumbs-00000001-build-policy"]);
    }
}
