//! `thumbctl doctor`

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use thumbctl_core::deployment::Deployment;
use thumbctl_core::event::{Failure, StrategyKind};
use thumbctl_core::journal::{JournalError, JournalStore};
use thumbctl_deploy::cloud::CloudLabel;
use thumbctl_deploy::session::{Session, SessionError};
use thumbctl_deploy::settings::{CloudChoice, DEFAULT_STRATEGY, Settings};
use thumbctl_deploy::strategy::terraform::Program;
use thumbctl_deploy::strategy::{Requirement, requirement};
use thumbctl_platform::private_fs;
use thumbctl_platform::terminal::{TerminalText, terminal_text};
use thumbctl_platform::text;

use super::context::Context;
use super::error::CliError;
use super::style::{self, Palette, Role};
use super::table::{Cell, Column, Table};

/// The timeout for reading another program's version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);

/// The result of one check.
#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    verdict: Verdict,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    todo: Option<String>,
}

/// The verdict of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// The requirement is met.
    Ok,
    /// An optional requirement is missing.
    Warn,
    /// A necessary requirement is missing.
    Missing,
}

impl Check {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Ok, found: found.into(), todo: None }
    }

    fn warn(what: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Warn, found: found.into(), todo: Some(todo.into()) }
    }

    fn missing(what: &'static str, found: impl Into<String>, todo: Option<String>) -> Self {
        Self { what, verdict: Verdict::Missing, found: found.into(), todo }
    }
}

/// Runs all checks and shows how to fix what is missing.
pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let strategy = strategy_of(&context.settings);
    let mut checks = vec![configuration(&context.settings, strategy), state_directory(&context.settings.state_dir)];
    checks.extend(cloud(context).await);
    if context.settings.cloud != CloudChoice::Sandbox {
        checks.push(sandbox(&context.settings).await);
    }
    checks.extend([
        terraform(context, strategy).await,
        python(&context.settings, strategy).await,
        terminal(&|name| std::env::var(name).ok()),
    ]);
    let missing = checks.iter().filter(|check| check.verdict == Verdict::Missing).count();
    if context.is_json() {
        context.print_json(&serde_json::json!({ "ok": missing == 0, "checks": checks }))?;
    } else {
        context.print(table(&checks, context.screen.out, context.screen.table_width()))?;
        let message = match missing {
            0 => format!("{} Ready. To see a demonstration: `thumbctl demo`", style::DONE),
            _ => format!("{} {} missing.", style::FAILED, text::count(missing, "requirement")),
        };
        let role = if missing == 0 { Role::Good } else { Role::Bad };
        context.print(terminal_text!("\n  {}\n", context.screen.out.paint(role, &message)))?;
    }
    if missing == 0 { Ok(()) } else { Err(CliError::AlreadyReported) }
}

fn table(checks: &[Check], palette: Palette, width: Option<usize>) -> TerminalText {
    let mut table = Table::new([Column::text(""), Column::text(""), Column::text("")]);
    let columns = width.unwrap_or(120).saturating_sub(26).max(30);
    for check in checks {
        let (sign, role) = match check.verdict {
            Verdict::Ok => (style::DONE, Role::Good),
            Verdict::Warn => (style::WARNING, Role::Warn),
            Verdict::Missing => (style::FAILED, Role::Bad),
        };
        let mut sign = Cell::new(role, sign);
        let mut what = Cell::new(Role::Strong, check.what);
        for line in text::wrap(&text::clean(&check.found), columns) {
            table.row([std::mem::take(&mut sign), std::mem::take(&mut what), line.into()]);
        }
        for (index, line) in
            check.todo.iter().flat_map(|todo| text::wrap(&text::clean(todo), columns.saturating_sub(2))).enumerate()
        {
            let arrow = if index == 0 { "→" } else { " " };
            table.row([Cell::default(), Cell::default(), Cell::new(Role::Muted, format!("{arrow} {line}"))]);
        }
    }
    table.render(width, palette)
}

/// The strategy of the next deploy: that of the deployment, the configured one, or the default.
fn strategy_of(settings: &Settings) -> StrategyKind {
    let journal = JournalStore::new(&settings.state_dir).deployment(&settings.name);
    // Other commands report an unreadable journal.
    let deployment = journal.deployment().ok().filter(Deployment::has_resources);
    let deployed = deployment.and_then(|deployment| Some(deployment.origin()?.strategy));
    deployed.or(settings.strategy).unwrap_or(DEFAULT_STRATEGY)
}

fn configuration(settings: &Settings, strategy: StrategyKind) -> Check {
    // Invalid settings have been reported before.
    let file = Settings::usual_file(&|name| std::env::var_os(name));
    let source = match file.filter(|file| file.exists()) {
        Some(file) => file.display().to_string(),
        None => "defaults, without a configuration file".to_owned(),
    };
    Check::ok("settings", format!("{source}; deployment '{}', strategy {}", settings.name, strategy))
}

fn state_directory(dir: &Path) -> Check {
    const WHAT: &str = "state directory";
    let probe = dir.join(format!(".doctor-{}", std::process::id()));
    let result = private_fs::create_dir_all(dir)
        .and_then(|()| private_fs::write(&probe, b"writable"))
        .and_then(|()| std::fs::remove_file(&probe));
    match result {
        Ok(()) => Check::ok(WHAT, format!("{} is writable", dir.display())),
        Err(error) => {
            let todo = "make it writable, or use another --state-dir or THUMBCTL_STATE_DIR";
            Check::missing(WHAT, format!("{} is not writable: {error}", dir.display()), Some(todo.to_owned()))
        }
    }
}

/// Checks identity, region and read permissions in the selected cloud.
async fn cloud(context: &Context) -> Vec<Check> {
    let settings = &context.settings;
    let is_sandbox = settings.cloud == CloudChoice::Sandbox;
    let session = match Session::open(settings.clone()).await {
        Ok(session) => session,
        Err(error) => {
            let what = if is_sandbox { "sandbox" } else { "credentials" };
            return vec![Check::missing(what, Failure::from_error(&error).to_string(), error.hint())];
        }
    };
    let source = if is_sandbox { "the sandbox's own".to_owned() } else { credentials_source(settings) };
    vec![
        match session.label() {
            CloudLabel::Sandbox => Check::ok("cloud", "sandbox: running, at no cost"),
            CloudLabel::Aws => Check::ok("cloud", "aws: resources cost money"),
            CloudLabel::Endpoint(url) => Check::ok("cloud", format!("endpoint {url}")),
        },
        Check::ok(
            "credentials",
            format!("account {}, {} ({source})", session.identity().account, session.identity().arn),
        ),
        Check::ok("region", session.region()),
        permissions(&session).await,
    ]
}

/// The likely source of the credentials.
fn credentials_source(settings: &Settings) -> String {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match &settings.profile {
        Some(profile) => format!("from profile '{profile}'"),
        None if set("AWS_ACCESS_KEY_ID") => "from environment variables".to_owned(),
        None if set("AWS_WEB_IDENTITY_TOKEN_FILE") => "from a web identity token".to_owned(),
        None => "from the default profile or the machine's role".to_owned(),
    }
}

/// Searches all services for leftover resources, as `destroy --purge` does, without changes.
async fn permissions(session: &Session) -> Check {
    const WHAT: &str = "permissions";
    match session.check_reading().await {
        Ok(()) => Check::ok(WHAT, "read access to all services; write access is not checked"),
        Err(error) => Check::missing(
            WHAT,
            Failure::from_error(&error).to_string(),
            error.hint().or_else(|| Some("see the policy document with all permissions in the README".to_owned())),
        ),
    }
}

async fn sandbox(settings: &Settings) -> Check {
    let settings = Settings { cloud: CloudChoice::Sandbox, endpoint_url: None, ..settings.clone() };
    match Session::open(settings).await {
        Ok(_) => Check::ok("sandbox", "available: --cloud sandbox needs no account"),
        Err(error) => Check::warn(
            "sandbox",
            Failure::from_error(&error).to_string(),
            error.hint().unwrap_or_else(|| "needed for --cloud sandbox only".to_owned()),
        ),
    }
}

/// Checks Terraform and, if the strategy needs it, its provider, which may have to be downloaded.
async fn terraform(context: &Context, strategy: StrategyKind) -> Check {
    const WHAT: &str = "terraform";
    let settings = &context.settings;
    let needed = requirement(strategy) == Some(Requirement::Terraform);
    let found = match Program::find(&settings.terraform, None).await {
        Ok(program) => program,
        Err(error) if needed => return Check::missing(WHAT, error.to_string(), error.hint()),
        Err(error) => {
            return Check::warn(WHAT, error.to_string(), "needed for the terraform strategy only");
        }
    };
    let program = format!("{} {} at {}", found.name(), found.version, found.path.display());
    if !needed {
        return Check::ok(WHAT, program);
    }
    let prepared = match Session::open(settings.clone()).await {
        Ok(session) => {
            let graceful = context.interrupt.graceful();
            session.prepare_tool(strategy, graceful.token()).await
        }
        // The cloud check reports the error.
        Err(_) => return Check::ok(WHAT, program),
    };
    match prepared {
        Ok(Ok(providers)) => {
            let providers: Vec<String> = providers.iter().map(|(name, version)| format!("{name} {version}")).collect();
            let check = Check::ok(WHAT, format!("{program}, with {}", providers.join(", ")));
            match found.untested(&settings.terraform) {
                Some(untested) => Check::warn(WHAT, check.found, format!("untested with {untested}; it should work")),
                None => check,
            }
        }
        Ok(Err(failure)) => Check::missing(WHAT, format!("{program}, but {failure}"), failure.hint),
        Err(SessionError::Journal(JournalError::Locked { .. })) => {
            Check::ok(WHAT, format!("{program}; provider not checked: the deployment is in use"))
        }
        Err(error) => Check::missing(WHAT, format!("{program}, but {error}"), error.hint()),
    }
}

async fn python(settings: &Settings, strategy: StrategyKind) -> Check {
    match version_of("python3", "--version").await {
        Some(version) => Check::ok("python3", version),
        None if settings.cloud == CloudChoice::Sandbox && requirement(strategy) == Some(Requirement::Python) => {
            Check::missing(
                "python3",
                "not found, but needed for the CloudFormation macro in the sandbox",
                Some("install Python 3 with the system's package manager, or use --strategy sdk".to_owned()),
            )
        }
        None => Check::warn(
            "python3",
            "not found",
            "needed for --strategy cloudformation in the sandbox only; install Python 3 with the system's package manager",
        ),
    }
}

/// The first line of a program's version output; `None` if it is missing or does not respond.
async fn version_of(program: &str, argument: &str) -> Option<String> {
    let mut command = tokio::process::Command::new(program);
    command.arg(argument).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(VERSION_TIMEOUT, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().filter(|_| output.status.success())?;
    Some(text::clean(line.trim()))
}

/// Checks the terminal's colours and graphics by its environment, since querying it is slow.
fn terminal(variable: &dyn Fn(&str) -> Option<String>) -> Check {
    let term = variable("TERM").unwrap_or_default();
    let program = variable("TERM_PROGRAM").unwrap_or_default();
    let has = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let graphics =
        if has("KITTY_WINDOW_ID") || term.contains("kitty") || term.contains("ghostty") || program == "ghostty" {
            "pictures by the kitty protocol"
        } else if matches!(program.as_str(), "iTerm.app" | "WezTerm") || has("WEZTERM_EXECUTABLE") {
            "pictures by the iTerm2 protocol"
        } else if term.contains("sixel") || term.starts_with("foot") || term.starts_with("mlterm") {
            "pictures by sixel"
        } else {
            "pictures as half blocks"
        };
    let colours = match variable("COLORTERM").as_deref() {
        Some("truecolor" | "24bit") => "16 million colours",
        _ if term.contains("256") => "256 colours",
        _ => "few colours",
    };
    match term.as_str() {
        "" | "dumb" => Check::warn(
            "terminal",
            "none, or without cursor control",
            "set TERM to its type; until then output is plain lines",
        ),
        term => Check::ok("terminal", format!("{term}: {colours}; {graphics}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> String {
        terminal(&|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())).found
    }

    #[test]
    fn terminal_is_detected_from_environment() {
        assert!(found(&[("TERM", "xterm-kitty")]).contains("kitty"));
        assert!(found(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")]).contains("iTerm2"));
        assert!(
            found(&[("TERM", "foot"), ("COLORTERM", "truecolor")]).contains("16 million colours; pictures by sixel")
        );
        assert!(found(&[("TERM", "xterm-256color")]).contains("256 colours; pictures as half blocks"));
        assert!(found(&[]).contains("none"));
    }
}
