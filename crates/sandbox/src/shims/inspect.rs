//! `docker images`, `docker inspect` and `docker rmi`.

use serde_json::{Value, json};

use super::images::ImageStore;
use super::reference::ImageReference;
use super::{BuildEnvironment, ShimError};

/// Handles `docker images`, as a table or as ids.
pub(super) fn list(options: &[&str], build: &BuildEnvironment) -> Result<(), ShimError> {
    let mut quiet = false;
    for option in options {
        match *option {
            "-q" | "--quiet" => quiet = true,
            "-a" | "--all" | "--no-trunc" => {}
            other => {
                return Err(ShimError::usage(format!("the sandbox's shim does not support 'docker images {other}'")));
            }
        }
    }
    let images = ImageStore::of(build);
    if !quiet {
        println!("{:<72} {:<16} {:<14} SIZE", "REPOSITORY", "TAG", "IMAGE ID");
    }
    for (name, digest) in images.names() {
        let reference = ImageReference::read(&name)?;
        let manifest = images.manifest(&digest)?;
        let id = manifest.config.digest.get(7..19).unwrap_or_default().to_owned();
        let size: u64 = manifest.layers.iter().map(|layer| layer.size).sum();
        match quiet {
            true => println!("{id}"),
            false => println!("{:<72} {:<16} {id:<14} {size}B", reference.repository(), reference.tag),
        }
    }
    Ok(())
}

/// Handles `docker inspect`, in full or with a template.
pub(super) fn inspect(options: &[&str], build: &BuildEnvironment) -> Result<(), ShimError> {
    let (mut format, mut names) = (None, Vec::new());
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.split_once('=').unwrap_or((*option, "")) {
            ("--format" | "-f", "") => format = options.next().copied(),
            ("--format" | "-f", given) => format = Some(given),
            ("--type", "") => {
                options.next();
            }
            ("--type", _) => {}
            (flag, _) if flag.starts_with('-') => return Err(ShimError::usage(format!("unknown flag: {flag}"))),
            _ => names.push(*option),
        }
    }
    let images = ImageStore::of(build);
    let described = names.iter().map(|name| describe(&images, name)).collect::<Result<Vec<_>, _>>()?;
    match format {
        None => println!("{:#}", Value::Array(described)),
        Some(format) => {
            for one in &described {
                println!("{}", render_template(format, one)?);
            }
        }
    }
    Ok(())
}

fn describe(images: &ImageStore, name: &str) -> Result<Value, ShimError> {
    let reference = ImageReference::read(name)?;
    let (digest, _) = images.find(&reference)?;
    let manifest = images.manifest(&digest)?;
    let config = images.json(&manifest.config.digest)?;
    let same = images.names().into_iter().filter(|(_, other)| *other == digest);
    let tags: Vec<_> = same.map(|(name, _)| name).collect();
    Ok(json!({
        "Id": manifest.config.digest,
        "RepoTags": tags,
        "RepoDigests": [format!("{}@{digest}", reference.repository())],
        "Created": config["created"],
        "Architecture": config["architecture"],
        "Os": config["os"],
        "Size": manifest.layers.iter().map(|layer| layer.size).sum::<u64>(),
        "Config": config["config"],
        "RootFS": { "Type": "layers", "Layers": config["rootfs"]["diff_ids"] },
    }))
}

/// Renders a template with a value's fields: `{{.Config.User}}`, `{{json .Config}}`, `{{index .RepoDigests 0}}`.
pub(super) fn render_template(format: &str, value: &Value) -> Result<String, ShimError> {
    let mut out = String::new();
    let mut rest = format;
    while let Some((before, template)) = rest.split_once("{{") {
        let (field, after) =
            template.split_once("}}").ok_or_else(|| ShimError::usage(format!("template parsing error: '{format}'")))?;
        out.push_str(before);
        let words: Vec<_> = field.split_whitespace().collect();
        let found = |path: &str| {
            let parts = path.strip_prefix('.').filter(|_| path.len() > 1);
            let found = parts.and_then(|parts| parts.split('.').try_fold(value, |value, part| value.get(part)));
            found.ok_or_else(|| ShimError::usage(format!("the sandbox's shim has no field {path}")))
        };
        match words[..] {
            ["json", path] => out.push_str(&found(path)?.to_string()),
            ["index", path, index] => {
                let item = index.parse::<usize>().ok().and_then(|index| found(path).ok()?.get(index));
                out.push_str(&text(item.ok_or_else(|| ShimError::usage(format!("no item {index} in {path}")))?));
            }
            [path] => out.push_str(&text(found(path)?)),
            _ => return Err(ShimError::usage(format!("the sandbox's shim does not support '{field}'"))),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Handles `docker rmi`: removes the names. Blobs are deleted with the build.
pub(super) fn remove(names: &[&str], build: &BuildEnvironment) -> Result<(), ShimError> {
    let images = ImageStore::of(build);
    for name in names.iter().filter(|name| !name.starts_with('-')) {
        let reference = ImageReference::read(name)?;
        images.untag(&reference)?;
        println!("Untagged: {reference}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_fields_are_rendered() {
        let value = json!({ "Server": { "Os": "linux", "Arch": "amd64" }, "Digests": ["a@b"] });
        assert_eq!(render_template("{{.Server.Os}}/{{ .Server.Arch }}", &value).unwrap(), "linux/amd64");
        assert_eq!(render_template("{{index .Digests 0}} {{json .Digests}}", &value).unwrap(), "a@b [\"a@b\"]");
        for bad in ["{{.Nothing}}", "{{.Server", "{{index .Digests 7}}", "{{range .}}"] {
            assert!(render_template(bad, &value).is_err(), "{bad}");
        }
    }
}
