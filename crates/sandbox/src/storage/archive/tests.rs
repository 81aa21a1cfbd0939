use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use proptest::prelude::*;
use tar::EntryType;

use super::*;
use crate::storage::tree;

const FILE: EntryType = EntryType::Regular;
const DIR: EntryType = EntryType::Directory;
const LINK: EntryType = EntryType::Symlink;

/// The directory of an image.
fn image() -> String {
    format!("{SANDBOX}/{}/{}", state::IMAGES, "ab".repeat(32))
}

/// A tar member, written without the checks of the `tar` crate.
#[derive(Debug, Clone)]
struct Raw {
    name: String,
    kind: EntryType,
    mode: u32,
    content: Vec<u8>,
    target: String,
}

impl Raw {
    fn new(name: &str, kind: EntryType) -> Self {
        Self { name: name.to_owned(), kind, mode: 0o644, content: Vec::new(), target: String::new() }
    }

    fn with_content(self, content: &[u8]) -> Self {
        Self { content: content.to_owned(), ..self }
    }

    fn to(self, target: &str) -> Self {
        Self { target: target.to_owned(), ..self }
    }

    fn append(&self, archive: &mut tar::Builder<impl Write>) {
        for (kind, text) in [(EntryType::GNULongName, &self.name), (EntryType::GNULongLink, &self.target)] {
            if text.len() > 100 {
                let mut header = tar::Header::new_gnu();
                header.set_entry_type(kind);
                header.set_size(text.len() as u64 + 1);
                header.set_cksum();
                archive.append(&header, [text.as_bytes(), b"\0"].concat().as_slice()).unwrap();
            }
        }
        let mut header = tar::Header::new_gnu();
        let gnu = header.as_gnu_mut().unwrap();
        for (field, text) in [(&mut gnu.name, &self.name), (&mut gnu.linkname, &self.target)] {
            let length = text.len().min(100);
            field[..length].copy_from_slice(&text.as_bytes()[..length]);
        }
        header.set_entry_type(self.kind);
        header.set_mode(self.mode);
        header.set_size(self.content.len() as u64);
        header.set_cksum();
        archive.append(&header, self.content.as_slice()).unwrap();
    }
}

/// A directory for unpacking beside one that must not be touched.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("outside/sub")).unwrap();
        fs::write(dir.path().join("outside/sub/file"), "kept").unwrap();
        symlink("sub", dir.path().join("outside/link")).unwrap();
        private_fs::create_dir_all(&dir.path().join("out")).unwrap();
        Self { dir }
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    fn outside(&self) -> PathBuf {
        self.dir.path().join("outside")
    }

    fn unpack(&self, members: &[Raw]) -> Result<(), ArchiveError> {
        self.unpack_within(members, ArchiveLimits::default())
    }

    fn unpack_within(&self, members: &[Raw], limits: ArchiveLimits) -> Result<(), ArchiveError> {
        let file = self.dir.path().join("state.tar.gz");
        let mut archive = tar::Builder::new(GzEncoder::new(File::create(&file).unwrap(), Compression::fast()));
        members.iter().for_each(|member| member.append(&mut archive));
        archive.into_inner().unwrap().finish().unwrap();
        unpack(&file, &self.out(), limits, &|path, is_dir| path == Path::new("deployments") && is_dir)
    }

    /// All files except the archive and the unpacked ones.
    fn everything_else(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        survey(self.dir.path(), &mut found);
        found.retain(|path, _| !path.starts_with(self.out()) && !path.ends_with("state.tar.gz"));
        found
    }
}

fn survey(dir: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        let described = format!("{:o} {} {content:?}", metadata.mode(), metadata.nlink());
        if metadata.is_dir() {
            survey(&path, found);
        }
        found.insert(path, described);
    }
}

#[test]
fn unpacked_files_are_accessible_to_the_owner_only() {
    let (from, bench) = (tempfile::tempdir().unwrap(), Bench::new());
    let root = from.path().join(image());
    fs::create_dir_all(root.join("usr/bin")).unwrap();
    fs::create_dir_all(from.path().join("deployments")).unwrap();
    fs::create_dir_all(from.path().join("sandbox/blobs")).unwrap();
    let long = format!("sandbox/blobs/{}", "long".repeat(50));
    fs::write(from.path().join(&long), "text").unwrap();
    fs::write(root.join("usr/bin/program"), "#!").unwrap();
    fs::set_permissions(root.join("usr/bin/program"), Permissions::from_mode(0o4755)).unwrap();
    symlink("usr/bin", root.join("bin")).unwrap();
    let file = bench.dir.path().join("packed.tar.gz");
    pack(from.path(), &file, ArchiveLimits::default()).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    unpack(&file, &bench.out(), ArchiveLimits::default(), &|path, _| path.starts_with("deployments")).unwrap();
    let mode = |path: &Path| fs::symlink_metadata(bench.out().join(path)).unwrap().mode() & 0o7777;
    assert_eq!(fs::read_to_string(bench.out().join(&long)).unwrap(), "text");
    assert_eq!(mode(Path::new(&long)), 0o600);
    assert_eq!(mode(&Path::new(&image()).join("usr/bin/program")), 0o700);
    assert_eq!(mode(&Path::new(&image()).join("usr")), 0o700);
    assert_eq!(fs::read_link(bench.out().join(image()).join("bin")).unwrap(), Path::new("usr/bin"));
    assert!(bench.out().join("deployments").is_dir());
}

#[test]
fn foreign_member_is_rejected() {
    let link = |name: &str| Raw::new(name, LINK).to("../../outside");
    let hostile = [
        Raw::new("../escaped", FILE),
        Raw::new("/escaped", FILE),
        Raw::new("sandbox/../../escaped", FILE),
        Raw::new("elsewhere", FILE),
        Raw::new("sandbox/server.lock", FILE),
        Raw::new("sandbox/unknown", DIR),
        Raw::new("sandbox", FILE),
        Raw::new("sandbox/sessions.json", DIR),
        Raw::new("sandbox/lambda/images/not-a-digest", DIR),
        link("sandbox"),
        link("deployments"),
        link("sandbox/lambda"),
        link("sandbox/lambda/images"),
        link(&image()),
        link("sandbox/snapshots"),
        link("sandbox/blobs/ab"),
        Raw::new("sandbox/blobs/ab", EntryType::Link).to("/etc/passwd"),
        Raw::new("sandbox/blobs/ab", EntryType::Char),
        Raw::new("sandbox/blobs/ab", EntryType::Block),
        Raw::new("sandbox/blobs/ab", EntryType::Fifo),
        Raw::new("sandbox/blobs/ab", EntryType::GNUSparse),
        Raw::new("sandbox/blobs/ab", EntryType::XHeader),
        Raw::new(&format!("{}/device", image()), EntryType::Char),
        Raw::new(&format!("sandbox/blobs/{}", "x".repeat(256)), FILE),
        Raw::new(&format!("sandbox/blobs/{}", "x/".repeat(100)), DIR),
        Raw::new(&format!("sandbox/blobs/{}", format!("{}/", "x".repeat(99)).repeat(11)), DIR),
        Raw::new(&format!("sandbox/blobs/{}", "long-".repeat(1000)), FILE),
        Raw::new(&format!("{}/link", image()), LINK).to(&"long-".repeat(1000)),
        Raw::new(&format!("{}/link", image()), LINK),
        Raw::new(&format!("{}/loop", image()), LINK).to("loop"),
    ];
    for member in hostile {
        let bench = Bench::new();
        let before = bench.everything_else();
        let result = bench.unpack(std::slice::from_ref(&member));
        assert!(matches!(result, Err(ArchiveError::Foreign { .. })), "{member:?}: {result:?}");
        assert_eq!(bench.everything_else(), before);
    }
}

#[test]
fn members_are_never_written_through_links_or_overwritten() {
    let inside = |name: &str| format!("{}/{name}", image());
    let pairs = [
        [Raw::new(&inside("a"), LINK).to("b"), Raw::new(&inside("a/file"), FILE)],
        [Raw::new(&inside("a/file"), FILE), Raw::new(&inside("a"), LINK).to("b")],
        [Raw::new(&inside("a"), LINK).to("b"), Raw::new(&inside("a"), FILE)],
        [Raw::new(&inside("a"), FILE), Raw::new(&inside("a"), FILE)],
        [Raw::new(&inside("a"), FILE), Raw::new(&inside("a/b"), FILE)],
        [Raw::new(&inside("a"), LINK).to("b"), Raw::new(&inside("a/c"), LINK).to("d")],
    ];
    for pair in pairs {
        let bench = Bench::new();
        let before = bench.everything_else();
        let error = bench.unpack(&pair).unwrap_err();
        assert!(matches!(error, ArchiveError::Foreign { .. }), "{pair:?}: {error:?}");
        assert_eq!(bench.everything_else(), before);
    }
}

#[test]
fn escaping_image_link_is_rewritten_as_in_a_container() {
    let bench = Bench::new();
    let outside = bench.outside();
    let inside = |name: &str| format!("{}/{name}", image());
    bench
        .unpack(&[
            Raw::new(&inside("etc/alternatives"), DIR),
            Raw::new(&inside("usr/bin"), DIR),
            Raw::new(&inside("usr/bin/awk"), LINK).to("/etc/alternatives/awk"),
            Raw::new(&inside("bin"), LINK).to("usr/bin"),
            Raw::new(&inside("up"), LINK).to("../../../../../.."),
            Raw::new(&inside("usr/out"), LINK).to(outside.to_str().unwrap()),
            Raw::new(&inside("usr/root"), LINK).to(".."),
            Raw::new(&inside("usr/twice"), LINK).to("root/../../outside"),
        ])
        .unwrap();
    let root = bench.out().join(image());
    let target = |name: &str| fs::read_link(root.join(name)).unwrap();
    assert_eq!(target("usr/bin/awk"), Path::new("../../etc/alternatives/awk"));
    assert_eq!(target("bin"), Path::new("usr/bin"), "kept as it is");
    assert_eq!(target("up"), Path::new("."));
    assert_eq!(target("usr/out"), Path::new("..").join(outside.strip_prefix("/").unwrap()));
    assert_eq!(target("usr/root"), Path::new(".."), "kept as it is");
    assert_eq!(target("usr/twice"), Path::new("../outside"));
}

#[test]
fn transient_files_are_skipped() {
    let bench = Bench::new();
    bench
        .unpack(&[
            Raw::new("sandbox/lambda/tmp/x/link", LINK).to("/"),
            Raw::new("sandbox/codebuild/builds/file", FILE),
            Raw::new("sandbox/lambda/processes/1", FILE),
            Raw::new("sandbox/blobs/incoming/1", FILE),
        ])
        .unwrap();
    assert_eq!(fs::read_dir(bench.out()).unwrap().count(), 0);
}

#[test]
fn archive_above_a_limit_is_rejected() {
    let limits = ArchiveLimits { members: 5, bytes: 3 << 20, ratio: 40, ratio_from: 1 << 20 };
    let zeros = Raw::new("sandbox/blobs/zeros", FILE).with_content(&vec![0; 2 << 20]);
    let random = |size: usize| {
        let content: Vec<u8> = (0..size).map(|_| rand::random()).collect();
        Raw::new("sandbox/blobs/random", FILE).with_content(&content)
    };
    let many: Vec<Raw> = (0..6).map(|number| Raw::new(&format!("sandbox/blobs/{number}"), FILE)).collect();
    let name = Raw::new("long", EntryType::GNULongName).with_content(&vec![b'a'; 2 << 20]);
    for (members, excess) in [
        (vec![zeros], LimitExceeded::Ratio(40)),
        (vec![name], LimitExceeded::Ratio(40)),
        (vec![random(4 << 20)], LimitExceeded::Bytes(3 << 20)),
        (many, LimitExceeded::Members(5)),
    ] {
        let bench = Bench::new();
        match bench.unpack_within(&members, limits) {
            Err(ArchiveError::TooLarge(found)) => assert_eq!(found, excess),
            other => panic!("{excess}: {other:?}"),
        }
        let written = fs::read_dir(bench.out().join("sandbox/blobs")).into_iter().flatten();
        let bytes: u64 = written.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(bytes <= limits.bytes);
    }
    Bench::new().unpack_within(&[random(2 << 20)], limits).unwrap();
}

#[test]
fn highly_compressible_state_can_be_unpacked() {
    let (from, bench) = (tempfile::tempdir().unwrap(), Bench::new());
    fs::create_dir_all(from.path().join("sandbox/blobs")).unwrap();
    fs::write(from.path().join("sandbox/blobs/zeros"), vec![0; 1 << 20]).unwrap();
    let limits = ArchiveLimits { ratio_from: 1 << 16, ..ArchiveLimits::default() };
    let file = bench.dir.path().join("packed.tar.gz");
    pack(from.path(), &file, limits).unwrap();
    unpack(&file, &bench.out(), limits, &|_, _| false).unwrap();
    assert_eq!(fs::metadata(bench.out().join("sandbox/blobs/zeros")).unwrap().len(), 1 << 20);
}

#[test]
fn truncated_or_damaged_archive_is_rejected() {
    let (from, bench) = (tempfile::tempdir().unwrap(), Bench::new());
    fs::create_dir_all(from.path().join("sandbox/blobs")).unwrap();
    fs::write(from.path().join("sandbox/blobs/a"), "text").unwrap();
    let file = bench.dir.path().join("packed.tar.gz");
    pack(from.path(), &file, ArchiveLimits::default()).unwrap();
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    // Damages the checksum at the end.
    flipped[whole.len() - 6] ^= 1;
    for damaged in [&whole[..whole.len() - 1], &whole[..whole.len() / 2], &flipped, b"nonsense"] {
        let bench = Bench::new();
        let file = bench.dir.path().join("state.tar.gz");
        fs::write(&file, damaged).unwrap();
        let result = unpack(&file, &bench.out(), ArchiveLimits::default(), &|_, _| false);
        assert!(matches!(result, Err(ArchiveError::Read(_))), "{result:?}");
    }
}

/// Parts of valid and of malicious paths. `@` is replaced by the directory that must not be touched.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned),
        2 => prop::sample::select(vec!["..", ".", "", "@", "outside", "sub", "out", "state.tar.gz"]).prop_map(str::to_owned),
        1 => "[ -~]{1,6}",
        1 => Just("x".repeat(120)),
    ]
}

fn place() -> impl Strategy<Value = String> {
    let prefix = prop_oneof![
        8 => Just(format!("{}/", image())),
        2 => Just(format!("{SANDBOX}/lambda/images/")),
        2 => Just(format!("{SANDBOX}/blobs/")),
        1 => Just(format!("{SANDBOX}/")),
        1 => Just("deployments/".to_owned()),
        1 => Just(String::new()),
        1 => Just("/".to_owned()),
    ];
    (prefix, prop::collection::vec(part(), 0..4)).prop_map(|(prefix, parts)| prefix + &parts.join("/"))
}

fn target() -> impl Strategy<Value = String> {
    let prefix = prop::sample::select(vec!["", "", "", "/", "@", "@/", "../", "../../../../../", "/../"]);
    (prefix, prop::collection::vec(part(), 0..4)).prop_map(|(prefix, parts)| prefix.to_owned() + &parts.join("/"))
}

fn member() -> impl Strategy<Value = Raw> {
    let kind = prop_oneof![
        8 => Just(FILE),
        6 => Just(DIR),
        8 => Just(LINK),
        1 => prop::sample::select(vec![b'1', b'3', b'4', b'6', b'7', b'x', b'g', b'L', b'K', b'S', b'Z']).prop_map(EntryType::new),
    ];
    (place(), kind, 0..0o10000_u32, prop::collection::vec(any::<u8>(), 0..40), target())
        .prop_map(|(name, kind, mode, content, target)| Raw { name, kind, mode, content, target })
}

/// Checks that an accepted entry may be part of a state.
fn check_accepted(out: &Path, path: &Path) {
    let metadata = fs::symlink_metadata(path).unwrap();
    let below = path.strip_prefix(out).unwrap();
    if metadata.is_symlink() {
        let root: PathBuf = below.components().take(4).collect();
        assert!(root == Path::new(&image()) && below != root, "a link at {}", below.display());
        if let Ok(followed) = fs::canonicalize(path) {
            let root = fs::canonicalize(out.join(root)).unwrap();
            assert!(followed.starts_with(&root), "{} leads to {}", below.display(), followed.display());
        }
        return;
    }
    let legal: &[u32] = if metadata.is_dir() { &[0o700] } else { &[0o600, 0o700] };
    assert!(metadata.is_dir() || metadata.is_file() && metadata.nlink() == 1, "{}", below.display());
    assert!(legal.contains(&(metadata.mode() & 0o7777)), "{}: {:o}", below.display(), metadata.mode());
    if metadata.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| check_accepted(out, &entry.unwrap().path()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)) })]

    #[test]
    fn archive_never_writes_outside_and_creates_private_files_only(members in prop::collection::vec(member(), 0..12)) {
        let bench = Bench::new();
        let outside = bench.outside();
        let fill = |text: &str| text.replace('@', outside.to_str().unwrap());
        let members: Vec<Raw> = members
            .into_iter()
            .map(|member| Raw { name: fill(&member.name), target: fill(&member.target), ..member })
            .collect();
        let before = bench.everything_else();
        let unpacked = bench.unpack(&members);
        prop_assert_eq!(bench.everything_else(), before.clone());
        if unpacked.is_ok() {
            check_accepted(&bench.out(), &bench.out());
        }
        // The unpacked files can be removed, including links.
        tree::remove(bench.dir.path(), "out").unwrap();
        prop_assert!(!bench.out().exists());
        prop_assert_eq!(bench.everything_else(), before);
    }

    #[test]
    fn invalid_archive_is_rejected_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        let bench = Bench::new();
        let file = bench.dir.path().join("state.tar.gz");
        let mut gzip = GzEncoder::new(File::create(&file).unwrap(), Compression::fast());
        gzip.write_all(&bytes).unwrap();
        gzip.finish().unwrap();
        let before = bench.everything_else();
        let _ = unpack(&file, &bench.out(), ArchiveLimits::default(), &|_, _| false);
        prop_assert_eq!(bench.everything_else(), before);
    }
}
