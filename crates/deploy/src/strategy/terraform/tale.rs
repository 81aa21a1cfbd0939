//! [`Tale`]: what Terraform's lines say of the architecture's resources, in the words of all strategies. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::address::Place;
use super::build_runner::BUILD_LINE;
use super::stream::{Line, Message, Provision};

/// What one Terraform tells, folded.
#[derive(Debug, Default)]
pub(super) struct Tale {
    /// What is to be made or changed, by kind: addresses that are not done yet.
    waiting: BTreeMap<ResourceKind, BTreeSet<String>>,
    /// When work on a kind began, by Terraform's clock.
    begun: BTreeMap<ResourceKind, Option<DateTime<Utc>>>,
    /// What was told of each kind last.
    told: BTreeMap<ResourceKind, ResourceState>,
    /// The addresses on which work was planned, and on which it is done.
    planned: BTreeSet<String>,
    done: BTreeSet<String>,
}

/// Something that follows from a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    /// A resource of the architecture changed; how long that took, at its end, in seconds by Terraform's clock.
    Changed { kind: ResourceKind, state: ResourceState, seconds: Option<f64> },
    /// How far it is.
    Progress { words: String, done: u64, total: u64 },
    /// A build was started.
    Build { id: String },
}

impl Tale {
    /// What was told of a kind last.
    pub(super) fn state_of(&self, kind: ResourceKind) -> Option<ResourceState> {
        self.told.get(&kind).copied()
    }

    /// Whether work on a kind has begun.
    pub(super) fn has_begun(&self, kind: ResourceKind) -> bool {
        self.begun.contains_key(&kind)
    }

    /// Takes in a line.
    pub(super) fn take(&mut self, line: &Line) -> Vec<Told> {
        match &line.message {
            Message::Planned(change) => {
                if matches!(change.action.as_str(), "create" | "update" | "replace" | "delete") {
                    self.planned.insert(change.address.clone());
                    if let Some(place) = Place::of(&change.address) {
                        self.waiting.entry(place.kind).or_default().insert(change.address.clone());
                    }
                }
                Vec::new()
            }
            Message::Started { address, action } => self.begin(address, action, line.at),
            Message::Progress { address, seconds } => {
                vec![self.progress(format!("{address}: at it for {seconds:.0} s"))]
            }
            Message::Completed { address, action } => self.complete(address, action, line.at),
            Message::Errored { address } => match Place::of(address) {
                Some(place) => vec![self.change(place.kind, ResourceState::Failed, line.at)],
                None => Vec::new(),
            },
            Message::Provisioner { address, output } => {
                let id = output.trim().strip_prefix(BUILD_LINE).filter(|id| id.contains(':'));
                let is_build = Place::of(address).is_some_and(|place| place.kind == ResourceKind::Image);
                id.filter(|_| is_build).map(|id| Told::Build { id: id.to_owned() }).into_iter().collect()
            }
            Message::Provision { address, stage } => {
                let words = match stage {
                    Provision::Begins => "its script begins",
                    Provision::Done => "its script has ended well",
                    Provision::Failed => "its script has failed",
                };
                vec![self.progress(format!("{address}: {words}"))]
            }
            Message::Drift(_)
            | Message::Summary(_)
            | Message::Refresh
            | Message::Outputs(_)
            | Message::Diagnostic(_)
            | Message::Other => Vec::new(),
        }
    }

    fn begin(&mut self, address: &str, action: &str, at: Option<DateTime<Utc>>) -> Vec<Told> {
        let Some(place) = Place::of(address) else { return Vec::new() };
        let kind = place.kind;
        match action {
            "create" => {
                let is_first = self.state_of(kind) != Some(ResourceState::Creating);
                self.begun.entry(kind).or_insert(at);
                if is_first { vec![self.change(kind, ResourceState::Creating, None)] } else { Vec::new() }
            }
            "update" => {
                self.begun.entry(kind).or_insert(at);
                Vec::new()
            }
            // The build is none of AWS's things; what it made goes with the repository.
            "delete" if kind != ResourceKind::Image => {
                let is_first = self.state_of(kind) != Some(ResourceState::Deleting);
                self.begun.entry(kind).or_insert(at);
                if is_first { vec![self.change(kind, ResourceState::Deleting, None)] } else { Vec::new() }
            }
            _ => Vec::new(),
        }
    }

    fn complete(&mut self, address: &str, action: &str, at: Option<DateTime<Utc>>) -> Vec<Told> {
        if !matches!(action, "create" | "update" | "delete") {
            return Vec::new();
        }
        self.done.insert(address.to_owned());
        let mut told = vec![self.progress(format!("{address}: {action}d"))];
        let Some(place) = Place::of(address) else { return told };
        let kind = place.kind;
        if action == "delete" {
            if place.address == address && kind != ResourceKind::Image {
                told.push(self.change(kind, ResourceState::Deleted, at));
                self.begun.remove(&kind);
                if kind == ResourceKind::Repository {
                    told.push(self.change(ResourceKind::Image, ResourceState::Deleted, None));
                }
            }
            return told;
        }
        let waiting = self.waiting.entry(kind).or_default();
        waiting.remove(address);
        if waiting.is_empty() {
            told.push(self.change(kind, ResourceState::Ready, at));
        }
        told
    }

    fn change(&mut self, kind: ResourceKind, state: ResourceState, at: Option<DateTime<Utc>>) -> Told {
        self.told.insert(kind, state);
        let began = self.begun.get(&kind).copied().flatten();
        let seconds = began.zip(at).map(|(began, at)| (at - began).num_milliseconds().max(0) as f64 / 1000.0);
        Told::Changed { kind, state, seconds }
    }

    fn progress(&self, words: String) -> Told {
        let done = self.done.intersection(&self.planned).count() as u64;
        Told::Progress { words, done, total: self.planned.len() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use thumbctl_core::resource::ResourceKind::*;

    use super::*;

    fn line(kind: &str, address: &str, action: &str, second: u32) -> Line {
        let field = if kind == "planned_change" { "change" } else { "hook" };
        Line::read(&format!(
            r#"{{"@message":"m","@timestamp":"2026-11-28T01:00:{second:02}.500000Z","type":"{kind}","{field}":{{"resource":{{"addr":"{address}","resource_type":"t"}},"action":"{action}"}}}}"#
        ))
    }

    fn changes(tale: &mut Tale, lines: &[Line]) -> Vec<(ResourceKind, ResourceState, Option<f64>)> {
        let told = lines.iter().flat_map(|line| tale.take(line));
        let changed = told.filter_map(|told| match told {
            Told::Changed { kind, state, seconds } => Some((kind, state, seconds)),
            Told::Progress { .. } | Told::Build { .. } => None,
        });
        changed.collect()
    }

    #[test]
    fn a_kind_is_ready_when_all_that_was_planned_of_it_is_done() {
        let (role, attachment) = ("aws_iam_role.build", "aws_iam_role_policy_attachment.build");
        let mut tale = Tale::default();
        let told = changes(
            &mut tale,
            &[
                line("planned_change", role, "create", 0),
                line("planned_change", attachment, "create", 0),
                line("apply_start", role, "create", 1),
                line("apply_complete", role, "create", 2),
                line("apply_start", attachment, "create", 3),
                line("apply_complete", attachment, "create", 5),
            ],
        );
        assert_eq!(told, [(BuildRole, ResourceState::Creating, None), (BuildRole, ResourceState::Ready, Some(4.0))]);
    }

    #[test]
    fn a_build_that_is_made_anew_is_no_resource_that_goes() {
        let mut tale = Tale::default();
        let build = "terraform_data.build";
        let told = changes(
            &mut tale,
            &[
                line("planned_change", build, "replace", 0),
                line("apply_start", build, "delete", 1),
                line("apply_complete", build, "delete", 1),
                line("apply_start", build, "create", 2),
                line("apply_errored", build, "create", 9),
            ],
        );
        assert_eq!(told, [(Image, ResourceState::Creating, None), (Image, ResourceState::Failed, Some(7.0))]);
    }

    #[test]
    fn what_goes_is_gone_with_the_resource_itself_and_the_image_with_its_repository() {
        let mut tale = Tale::default();
        let (bucket, block) = ("aws_s3_bucket.build_source[0]", "aws_s3_bucket_public_access_block.build_source[0]");
        let repository = "aws_ecr_repository.function";
        let told = changes(
            &mut tale,
            &[
                line("apply_start", block, "delete", 1),
                line("apply_complete", block, "delete", 2),
                line("apply_start", bucket, "delete", 3),
                line("apply_complete", bucket, "delete", 4),
                line("apply_start", repository, "delete", 5),
                line("apply_complete", repository, "delete", 6),
            ],
        );
        assert_eq!(
            told,
            [
                (BuildSourceBucket, ResourceState::Deleting, None),
                (BuildSourceBucket, ResourceState::Deleted, Some(3.0)),
                (Repository, ResourceState::Deleting, None),
                (Repository, ResourceState::Deleted, Some(1.0)),
                (Image, ResourceState::Deleted, None),
            ]
        );
    }

    #[test]
    fn a_build_is_known_by_its_id() {
        let mut tale = Tale::default();
        let output = |text: &str| {
            Line::read(&format!(
                r#"{{"@message":"m","type":"provision_progress","hook":{{"resource":{{"addr":"terraform_data.build"}},"output":"{text}"}}}}"#
            ))
        };
        assert_eq!(tale.take(&output("BUILD SUCCEEDED")), []);
        assert_eq!(tale.take(&output("build p:1-2")), [Told::Build { id: "p:1-2".into() }]);
    }

    #[test]
    fn progress_counts_what_was_planned() {
        let mut tale = Tale::default();
        let role = "aws_iam_role.build";
        tale.take(&line("planned_change", role, "create", 0));
        tale.take(&line("planned_change", "aws_s3_object.build_source[0]", "create", 0));
        tale.take(&line("planned_change", "data.aws_ecr_image.function[0]", "read", 0));
        let told = tale.take(&line("apply_complete", role, "create", 0));
        assert_eq!(told[0], Told::Progress { words: format!("{role}: created"), done: 1, total: 2 });
    }
}
