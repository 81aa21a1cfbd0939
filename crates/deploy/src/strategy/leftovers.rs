//! What is left in the cloud of deployments that no journal knows: found by name and tag.

use std::collections::{BTreeMap, BTreeSet};

use thumbctl_core::names::{DeploymentName, Names, Suffix};
use thumbctl_core::plan::{Plan, StepId};
use thumbctl_core::resource::ResourceKind;

use super::site::{DEPLOYMENT_TAG, REGION_TAG, Site};
use super::teardown;
use crate::aws::{AwsError, Tagged, cloudformation, codebuild, ecr, iam, lambda, logs, s3};

/// What was found.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// What belongs to the deployment, by the suffix of its names.
    found: BTreeMap<String, BTreeSet<ResourceKind>>,
    /// What has a name like the deployment's but another's tag, or another region's: left alone, and said.
    pub foreign: Vec<String>,
    /// What has no tag at all, by the suffix of its name: a bucket whose maker died before tagging it, a log group that a late
    /// writer made, or a policy of a stack.
    untagged: Vec<(String, ResourceKind, String)>,
    /// The suffixes under which something is another's.
    foreign_suffixes: BTreeSet<String>,
    /// The region that was searched: IAM has none, and shows what belongs to others.
    region: String,
}

impl Leftovers {
    /// The names of what was found.
    pub fn names(&self, deployment: &DeploymentName) -> Vec<(ResourceKind, String)> {
        self.each(deployment)
            .flat_map(|(names, kinds)| kinds.iter().map(move |kind| (*kind, names.of(*kind))))
            .collect()
    }

    /// Adds what the journal says that may be there, whether it was found or not: so that it is known to be gone. What is
    /// another's stays out.
    pub fn include(&mut self, names: &Names, kinds: impl IntoIterator<Item = ResourceKind>) {
        let foreign = &self.foreign;
        let ours = kinds.into_iter().filter(|kind| !foreign.contains(&names.of(*kind)));
        self.found.entry(names.suffix().as_str().to_owned()).or_default().extend(ours);
        self.found.retain(|_, kinds| !kinds.is_empty());
    }

    /// What removes it all.
    pub fn plan(&self) -> Plan {
        let steps = self.found.iter().flat_map(|(suffix, kinds)| {
            Vec::from(teardown::destroy_kinds(&|kind| kinds.contains(&kind), &format!("{MARK}{suffix}")))
        });
        Plan::new(steps.collect()).expect("plans under different suffixes have different step names")
    }

    /// The names under the first suffix that was found.
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

    /// Decides about what has no tag: it belongs to whom the rest under its suffix belongs to, and to us where there is no rest.
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

/// Stands between a step's name and the suffix of the names that it is about.
const MARK: &str = "-";

/// The names that a teardown's step is about: those under the suffix that its id ends in, else the run's own.
pub fn names_of_step(step: &StepId, run: &Names) -> Names {
    let suffix = step.as_str().rsplit_once(MARK).and_then(|(_, suffix)| Suffix::try_from(suffix.to_owned()).ok());
    suffix.map_or_else(|| run.clone(), |suffix| Names::new(run.deployment().clone(), suffix))
}

/// The suffix in a name, if it is one that this deployment gives to such a resource.
fn suffix_of(deployment: &DeploymentName, kind: ResourceKind, name: &str) -> Option<String> {
    let at = name.find(&format!("{deployment}-"))? + deployment.as_str().len() + 1;
    let suffix = Suffix::try_from(name.get(at..at + 8)?.to_owned()).ok()?;
    let expected = Names::new(deployment.clone(), suffix.clone()).of(kind);
    (expected == name).then(|| suffix.as_str().to_owned())
}

/// Looks through everything that a deployment of this name could have made.
///
/// # Errors
/// When a listing fails: what cannot be seen cannot be said to be gone.
pub async fn find(site: &Site, deployment: &DeploymentName) -> Result<Leftovers, AwsError> {
    let clients = &site.clients;
    let prefix = format!("{deployment}-");
    let mut leftovers = Leftovers { region: site.region.clone(), ..Leftovers::default() };
    let buckets = s3::list_buckets(&clients.s3, &prefix, &site.region).await?;
    for kind in [ResourceKind::SourceBucket, ResourceKind::DestinationBucket, ResourceKind::BuildSourceBucket] {
        leftovers.take(deployment, kind, buckets.clone());
    }
    leftovers.take(deployment, ResourceKind::Repository, ecr::list_repositories(&clients.ecr, &prefix).await?);
    leftovers.take(
        deployment,
        ResourceKind::BuildProject,
        codebuild::list_projects(&clients.codebuild, &prefix).await?,
    );
    let functions = lambda::list_functions(&clients.lambda, &prefix).await?;
    for kind in [ResourceKind::Function, ResourceKind::MacroFunction] {
        leftovers.take(deployment, kind, functions.clone());
    }
    let stacks = cloudformation::list_stacks(&clients.cloudformation, &prefix).await?;
    for kind in [ResourceKind::MacroStack, ResourceKind::BuildStack, ResourceKind::AppStack] {
        leftovers.take(deployment, kind, stacks.clone());
    }
    let roles = iam::list_roles(&clients.iam, &prefix).await?;
    for kind in [ResourceKind::BuildRole, ResourceKind::FunctionRole, ResourceKind::MacroRole] {
        leftovers.take(deployment, kind, roles.clone());
    }
    let policies = iam::list_policies(&clients.iam, &prefix).await?;
    for kind in [ResourceKind::BuildPolicy, ResourceKind::FunctionPolicy] {
        leftovers.take(deployment, kind, policies.clone());
    }
    for (folder, kinds) in [
        ("/aws/codebuild/", &[ResourceKind::BuildLogGroup][..]),
        ("/aws/lambda/", &[ResourceKind::FunctionLogGroup, ResourceKind::MacroLogGroup]),
    ] {
        let groups = logs::list_log_groups(&clients.logs, &format!("{folder}{prefix}")).await?;
        for kind in kinds {
            leftovers.take(deployment, *kind, groups.clone());
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
    fn only_names_that_the_deployment_gives_are_its_own() {
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
    fn what_carries_anothers_tag_is_left_alone() {
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
        assert_eq!(leftovers.plan().steps().len(), 2);
    }

    #[test]
    fn what_has_no_tag_is_whose_the_rest_is() {
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

    #[test]
    fn a_step_says_whose_names_it_is_about() {
        let run = Names::new(name(), Suffix::from_number(1));
        assert_eq!(names_of_step(&"source_bucket".into(), &run), run);
        let other = names_of_step(&"source_bucket-000000ff".into(), &run);
        assert_eq!(other.suffix().as_str(), "000000ff");
    }
}
