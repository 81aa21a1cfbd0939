//! [`ProgressReducer`]: folds Terraform's output lines into states of the architecture's resources. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::address::AddressMapping;
use super::build_runner::BUILD_LINE;
use super::stream::{Line, Message, Provision};

/// The fold of one Terraform run's output.
#[derive(Debug, Default)]
pub(super) struct ProgressReducer {
    /// The incomplete addresses to create or change, by kind.
    waiting: BTreeMap<ResourceKind, BTreeSet<String>>,
    /// When work on a kind began, by Terraform's clock.
    started_at: BTreeMap<ResourceKind, Option<DateTime<Utc>>>,
    /// The last reported state of each kind.
    reported: BTreeMap<ResourceKind, ResourceState>,
    /// The addresses with planned work, and those completed.
    planned: BTreeSet<String>,
    done: BTreeSet<String>,
}

/// A result of an output line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Update {
    /// A resource changed its state; at the end with the duration in seconds by Terraform's clock.
    Changed { kind: ResourceKind, state: ResourceState, seconds: Option<f64> },
    /// The progress.
    Progress { words: String, done: u64, total: u64 },
    /// A build was started.
    Build { id: String },
}

impl ProgressReducer {
    /// The last reported state of a kind.
    pub(super) fn state_of(&self, kind: ResourceKind) -> Option<ResourceState> {
        self.reported.get(&kind).copied()
    }

    /// Returns whether work on a kind has started.
    pub(super) fn has_started(&self, kind: ResourceKind) -> bool {
        self.started_at.contains_key(&kind)
    }

    /// Applies a line.
    pub(super) fn apply(&mut self, line: &Line) -> Vec<Update> {
        match &line.message {
            Message::Planned(change) => {
                if matches!(change.action.as_str(), "create" | "update" | "replace" | "delete") {
                    self.planned.insert(change.address.clone());
                    if let Some(mapping) = AddressMapping::of(&change.address) {
                        self.waiting.entry(mapping.kind).or_default().insert(change.address.clone());
                    }
                }
                Vec::new()
            }
            Message::Started { address, action } => self.begin(address, action, line.at),
            Message::Progress { address, seconds } => {
                vec![self.progress(format!("{address}: in progress for {seconds:.0} s"))]
            }
            Message::Completed { address, action } => self.complete(address, action, line.at),
            Message::Errored { address } => match AddressMapping::of(address) {
                Some(mapping) => vec![self.change(mapping.kind, ResourceState::Failed, line.at)],
                None => Vec::new(),
            },
            Message::Provisioner { address, output } => {
                let id = output.trim().strip_prefix(BUILD_LINE).filter(|id| id.contains(':'));
                let is_build = AddressMapping::of(address).is_some_and(|mapping| mapping.kind == ResourceKind::Image);
                id.filter(|_| is_build).map(|id| Update::Build { id: id.to_owned() }).into_iter().collect()
            }
            Message::Provision { address, stage } => {
                let words = match stage {
                    Provision::Started => "script started",
                    Provision::Done => "script succeeded",
                    Provision::Failed => "script failed",
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

    fn begin(&mut self, address: &str, action: &str, at: Option<DateTime<Utc>>) -> Vec<Update> {
        let Some(mapping) = AddressMapping::of(address) else { return Vec::new() };
        let kind = mapping.kind;
        match action {
            "create" => {
                let is_first = self.state_of(kind) != Some(ResourceState::Creating);
                self.started_at.entry(kind).or_insert(at);
                if is_first { vec![self.change(kind, ResourceState::Creating, None)] } else { Vec::new() }
            }
            "update" => {
                self.started_at.entry(kind).or_insert(at);
                Vec::new()
            }
            // The build is not an AWS resource; its image is deleted with the repository.
            "delete" if kind != ResourceKind::Image => {
                let is_first = self.state_of(kind) != Some(ResourceState::Deleting);
                self.started_at.entry(kind).or_insert(at);
                if is_first { vec![self.change(kind, ResourceState::Deleting, None)] } else { Vec::new() }
            }
            _ => Vec::new(),
        }
    }

    fn complete(&mut self, address: &str, action: &str, at: Option<DateTime<Utc>>) -> Vec<Update> {
        if !matches!(action, "create" | "update" | "delete") {
            return Vec::new();
        }
        self.done.insert(address.to_owned());
        let mut updates = vec![self.progress(format!("{address}: {action}d"))];
        let Some(mapping) = AddressMapping::of(address) else { return updates };
        let kind = mapping.kind;
        if action == "delete" {
            if mapping.terraform.address == address && kind != ResourceKind::Image {
                updates.push(self.change(kind, ResourceState::Deleted, at));
                self.started_at.remove(&kind);
                if kind == ResourceKind::Repository {
                    updates.push(self.change(ResourceKind::Image, ResourceState::Deleted, None));
                }
            }
            return updates;
        }
        let waiting = self.waiting.entry(kind).or_default();
        waiting.remove(address);
        if waiting.is_empty() {
            updates.push(self.change(kind, ResourceState::Ready, at));
        }
        updates
    }

    fn change(&mut self, kind: ResourceKind, state: ResourceState, at: Option<DateTime<Utc>>) -> Update {
        self.reported.insert(kind, state);
        let began = self.started_at.get(&kind).copied().flatten();
        let seconds = began.zip(at).map(|(began, at)| (at - began).num_milliseconds().max(0) as f64 / 1000.0);
        Update::Changed { kind, state, seconds }
    }

    fn progress(&self, words: String) -> Update {
        let done = self.done.intersection(&self.planned).count() as u64;
        Update::Progress { words, done, total: self.planned.len() as u64 }
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

    fn changes(reducer: &mut ProgressReducer, lines: &[Line]) -> Vec<(ResourceKind, ResourceState, Option<f64>)> {
        let updates = lines.iter().flat_map(|line| reducer.apply(line));
        let changed = updates.filter_map(|update| match update {
            Update::Changed { kind, state, seconds } => Some((kind, state, seconds)),
            Update::Progress { .. } | Update::Build { .. } => None,
        });
        changed.collect()
    }

    #[test]
    fn kind_is_ready_when_all_its_planned_addresses_are_done() {
        let (role, attachment) = ("aws_iam_role.build", "aws_iam_role_policy_attachment.build");
        let mut reducer = ProgressReducer::default();
        let updates = changes(
            &mut reducer,
            &[
                line("planned_change", role, "create", 0),
                line("planned_change", attachment, "create", 0),
                line("apply_start", role, "create", 1),
                line("apply_complete", role, "create", 2),
                line("apply_start", attachment, "create", 3),
                line("apply_complete", attachment, "create", 5),
            ],
        );
        assert_eq!(updates, [(BuildRole, ResourceState::Creating, None), (BuildRole, ResourceState::Ready, Some(4.0))]);
    }

    #[test]
    fn repeated_build_is_not_reported_as_deleted() {
        let mut reducer = ProgressReducer::default();
        let build = "terraform_data.build";
        let updates = changes(
            &mut reducer,
            &[
                line("planned_change", build, "replace", 0),
                line("apply_start", build, "delete", 1),
                line("apply_complete", build, "delete", 1),
                line("apply_start", build, "create", 2),
                line("apply_errored", build, "create", 9),
            ],
        );
        assert_eq!(updates, [(Image, ResourceState::Creating, None), (Image, ResourceState::Failed, Some(7.0))]);
    }

    #[test]
    fn kind_is_deleted_with_its_main_resource_and_image_with_repository() {
        let mut reducer = ProgressReducer::default();
        let (bucket, block) = ("aws_s3_bucket.build_source[0]", "aws_s3_bucket_public_access_block.build_source[0]");
        let repository = "aws_ecr_repository.function";
        let updates = changes(
            &mut reducer,
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
            updates,
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
    fn build_is_recognized_by_its_id() {
        let mut reducer = ProgressReducer::default();
        let output = |text: &str| {
            Line::read(&format!(
                r#"{{"@message":"m","type":"provision_progress","hook":{{"resource":{{"addr":"terraform_data.build"}},"output":"{text}"}}}}"#
            ))
        };
        assert_eq!(reducer.apply(&output("BUILD SUCCEEDED")), []);
        assert_eq!(reducer.apply(&output("build p:1-2")), [Update::Build { id: "p:1-2".into() }]);
    }

    #[test]
    fn progress_counts_planned_addresses() {
        let mut reducer = ProgressReducer::default();
        let role = "aws_iam_role.build";
        reducer.apply(&line("planned_change", role, "create", 0));
        reducer.apply(&line("planned_change", "aws_s3_object.build_source[0]", "create", 0));
        reducer.apply(&line("planned_change", "data.aws_ecr_image.function[0]", "read", 0));
        let updates = reducer.apply(&line("apply_complete", role, "create", 0));
        assert_eq!(updates[0], Update::Progress { words: format!("{role}: created"), done: 1, total: 2 });
    }
}
