use std::collections::BTreeMap;

use super::*;

fn load(file: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("config.toml");
    std::fs::write(&path, file).expect("the file is written");
    let mut variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    variables.entry("HOME").or_insert("/home/someone");
    let flags: Vec<Assignment> = flags
        .iter()
        .map(|&(key, value)| Assignment {
            key: key.into(),
            value: value.into(),
            origin: Origin::Flag(format!("--{}", key.replace('_', "-"))),
        })
        .collect();
    Settings::load(Some(&path), &|name| variables.get(name).map(Into::into), &flags)
}

fn error_in(file: &str) -> String {
    let text = load(file, &[], &[]).expect_err("the file is wrong").to_string();
    text.split_once("config.toml, ").map_or(text.clone(), |(_, rest)| rest.to_owned())
}

#[test]
fn example_file_has_every_setting_with_its_default() {
    let text = include_str!("../../../../config.example.toml");
    let defaults = Settings::with_state_dir("/home/someone/.local/state/thumbctl");
    assert_eq!(load(text, &[], &[]).expect("the example is a legal file"), defaults);

    let written: BTreeMap<String, String> = file::parse(Path::new("config.example.toml"), text)
        .expect("the example is a legal file")
        .into_iter()
        .map(|assignment| (assignment.key, assignment.value.replace("~/", "/home/someone/")))
        .collect();
    for key in KEYS {
        match (key.get)(&defaults) {
            Some(default) => assert_eq!(written.get(key.name), Some(&default), "{} in config.example.toml", key.name),
            None => {
                let (_, in_table) = key.name.rsplit_once('.').unwrap_or(("", key.name));
                let commented = format!("# {in_table} = ");
                assert!(text.contains(&commented), "config.example.toml shows {} as a comment", key.name);
            }
        }
    }
    assert!(text.contains("THUMBCTL_"), "the example says how variables are named");
}

#[test]
fn flags_override_variables_and_variables_override_the_file() {
    let file = "parallelism = 2\nregion = 'eu-west-1'\nprofile = 'file'\n";
    let settings = load(file, &[("THUMBCTL_PARALLELISM", "3"), ("AWS_PROFILE", "variable")], &[("parallelism", "4")])
        .expect("valid settings");
    assert_eq!(settings.parallelism.get(), 4);
    assert_eq!(settings.profile.as_deref(), Some("variable"));
    assert_eq!(settings.region.as_deref(), Some("eu-west-1"));
    let own = load("", &[("AWS_REGION", "us-west-2"), ("THUMBCTL_REGION", "eu-north-1")], &[]).expect("valid settings");
    assert_eq!(own.region.as_deref(), Some("eu-north-1"), "the more specific variable wins");
}

#[test]
fn endpoint_is_a_cloud_of_its_own_unless_the_sandbox_is_selected() {
    let somewhere = ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566/");
    let settings = load("", &[somewhere], &[]).expect("valid settings");
    assert_eq!(settings.endpoint_url.as_deref(), Some("http://127.0.0.1:4566"));
    assert_eq!(settings.cloud, CloudChoice::Aws);
    for sandbox in [
        load("", &[somewhere], &[("cloud", "sandbox")]),
        load("", &[somewhere, ("THUMBCTL_CLOUD", "sandbox")], &[]),
        load("endpoint_url = 'http://localhost:1'", &[], &[("cloud", "sandbox")]),
    ] {
        let settings = sandbox.expect("valid settings");
        assert_eq!((settings.cloud, settings.endpoint_url), (CloudChoice::Sandbox, None));
    }
    let both = load("", &[], &[("endpoint_url", "http://localhost:1"), ("cloud", "sandbox")]);
    assert_eq!(
        both.expect_err("a contradiction").to_string(),
        "--endpoint-url: an endpoint URL cannot be combined with the sandbox"
    );
}

#[test]
fn errors_name_line_key_and_allowed_values() {
    assert_eq!(
        error_in("\n[function]\nmemory_mb = 64\n"),
        "line 3: function.memory_mb cannot be '64'; it must be a whole number from 128 to 10240"
    );
    assert_eq!(
        error_in("[function]\nmemory_mb = \"512\"\n"),
        "line 2: function.memory_mb cannot be the text \"512\"; it must be a whole number from 128 to 10240, without quotes"
    );
    assert_eq!(error_in("cloud = true\n"), "line 1: cloud cannot be true; it must be text in quotes: sandbox or aws");
    assert_eq!(
        error_in("# comment\n[function]\nmemory = 64\n"),
        "line 3: unknown setting 'function.memory'; did you mean 'function.memory_mb'?"
    );
    assert_eq!(error_in("[logs]\ncolour = 1\n"), "line 2: unknown setting 'logs.colour'; known: retention_days");
    assert_eq!(
        error_in("build = 3\n"),
        "line 1: build cannot be 3; it must be a table: write [build] on a line of its own"
    );
    assert!(error_in("cloud = \n").starts_with("line 1: this is not TOML: "));
    assert!(error_in("[logs]\nretention_days = 8\n").contains("one of CloudWatch's periods: 1, 3, 5, 7"));
}

#[test]
fn invalid_regions_endpoints_and_repositories_are_rejected() {
    for bad in ["", "eu", "eu-central", "EU-central-1", "eu-central-1; rm", "eu--1"] {
        assert!(load("", &[], &[("region", bad)]).is_err(), "'{bad}' is not a region");
    }
    for good in ["us-east-1", "us-gov-west-1", "ap-southeast-5"] {
        assert!(load("", &[], &[("region", good)]).is_ok(), "'{good}' is a region");
    }
    for bad in ["", "localhost:4566", "ftp://x", "http://", "http://u:p@host", "http://host/path", "http://host?x"] {
        assert!(load("", &[], &[("endpoint_url", bad)]).is_err(), "'{bad}' is not an endpoint");
    }
    for bad in
        ["https://gitlab.com/a/b", "https://github.com/a", "https://github.com/a/b/c", "https://github.com/a/b?c"]
    {
        assert!(load(&format!("[build]\ngithub_url = '{bad}'"), &[], &[]).is_err(), "'{bad}' is not a repository");
    }
    let settings = load("[build]\nsource = 'github'", &[], &[]).expect("valid settings");
    assert_eq!(settings.build.source, BuildSource::Github { url: keys::DEFAULT_GITHUB_URL.to_owned() });
}

#[test]
fn configured_file_must_exist() {
    let nowhere = Path::new("/nonexistent/config.toml");
    let error =
        Settings::load(Some(nowhere), &|_| Some("/home/someone".into()), &[]).expect_err("the file does not exist");
    assert!(error.to_string().starts_with("cannot read the configuration file /nonexistent/config.toml: "));
    let home = |name: &str| (name == "HOME").then(|| "/nonexistent".into());
    assert!(Settings::load(None, &home, &[]).is_ok(), "the usual file may be missing");
    let error = Settings::load(None, &|_| None, &[]).expect_err("no home directory");
    assert!(error.to_string().contains("--state-dir"));
}

#[test]
fn state_directory_follows_xdg() {
    let state_dir = |variables: &[(&str, &str)]| load("", variables, &[]).expect("valid settings").state_dir;
    assert_eq!(state_dir(&[]), Path::new("/home/someone/.local/state/thumbctl"));
    assert_eq!(state_dir(&[("XDG_STATE_HOME", "/x")]), Path::new("/x/thumbctl"));
    assert_eq!(state_dir(&[("XDG_STATE_HOME", "relative")]), Path::new("/home/someone/.local/state/thumbctl"));
    assert_eq!(state_dir(&[("THUMBCTL_STATE_DIR", "~/here")]), Path::new("/home/someone/here"));
    let relative = state_dir(&[("THUMBCTL_STATE_DIR", "here")]);
    assert!(relative.is_absolute() && relative.ends_with("here"));
}

#[test]
fn users_keys_are_kept_as_written() {
    let settings =
        load("[console.keys]\ndestroy = 'ctrl-x'\nshow-test-upload = '6, t'\n", &[], &[]).expect("valid settings");
    let keys: Vec<(&str, &str)> =
        settings.console.keys.iter().map(|key| (key.action.as_str(), key.keys.as_str())).collect();
    assert_eq!(keys, [("destroy", "ctrl-x"), ("show-test-upload", "6, t")]);
    assert!(settings.console.keys[0].origin.to_string().ends_with("config.toml, line 2"));
    assert!(error_in("[console]\nkeys = 3\n").starts_with("line 2: console.keys cannot be 3; it must be a table"));
    assert!(error_in("[console.keys]\nquit = 3\n").starts_with("line 2: console.keys.quit cannot be 3; it must be"));
    assert_eq!(
        error_in("[console]\ntheme = 'pink'\n"),
        "line 2: console.theme cannot be 'pink'; it must be auto, dark, light, high-contrast or plain"
    );
}
