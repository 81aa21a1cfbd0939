//! A full disk.

use std::process::Command;

use thumbctl_test_support::whole_loop::assert_nothing_left;
use thumbctl_test_support::{Program, Running, list_everything};

thumbctl_test_support::foreign_tests! {
    [] async: journal_that_cannot_grow_stops_the_run_and_nothing_is_lost;
    [SmallDisk] async: disk_that_fills_up_during_a_build_loses_nothing;
    [SmallDisk] sync: sandbox_on_a_full_disk_reports_it;
}

/// A small disk, mounted at the state directory; none without the permission to mount.
struct SmallDisk<'a>(&'a Program);

impl<'a> SmallDisk<'a> {
    fn mount(program: &'a Program) -> Option<Self> {
        let dir = program.state_dir();
        std::fs::create_dir_all(&dir).expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs"]).arg(dir);
        let mounted = cfg!(target_os = "linux") && mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            println!("skipped: no small disk can be mounted here");
        }
        mounted.then_some(Self(program))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // A sandbox may still be writing.
        let unmounted =
            || Command::new("umount").arg(self.0.state_dir()).output().is_ok_and(|out| out.status.success());
        thumbctl_test_support::wait_for("the small disk's end", || unmounted().then_some(()));
    }
}

async fn journal_that_cannot_grow_stops_the_run_and_nothing_is_lost() {
    let program = Program::new();
    let sandbox = program.sandbox();
    // A file size limit acts like a full disk; its signal must not end the program.
    let thumbctl = thumbctl_test_support::thumbctl();
    let limited = |arguments: &str| {
        let script = format!("ulimit -f 9; exec {thumbctl} {arguments}");
        Running::start(program.around("bash", ["-c", &script])).wait()
    };
    let printed = limited("deploy").fails_with(1);
    assert!(printed.starts_with("error: cannot write ") && printed.contains("0001-deploy-"), "{printed}");
    let journal = std::fs::read_to_string(&program.journals("thumbnails")[0]).expect("a journal");
    assert!(journal.ends_with('\n'), "an incomplete event remains");
    let left = list_everything(&sandbox.clients(), "thumbnails-").await;
    assert!(!left.is_empty());
    program.run(["deploy"]).ok();
    let status = program.run(["status"]).ok().stdout;
    assert!(status.contains("15 resources: 15 exist"), "{status}");
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&sandbox.clients()).await;
}

fn sandbox_on_a_full_disk_reports_it() {
    let program = Program::new();
    let Some(_disk) = SmallDisk::mount(&program) else { return };
    let fill = program.state_dir().join("fill");
    let _ = std::fs::write(&fill, vec![1; 9 << 20]);
    let printed = program.run(["deploy"]).fails_with(1);
    assert!(printed.contains("the disk's free space") || printed.contains("No space left on device"), "{printed}");
    std::fs::remove_file(fill).expect("the file is removed");
    program.run(["status"]).ok();
}

async fn disk_that_fills_up_during_a_build_loses_nothing() {
    let program = Program::new();
    let Some(_disk) = SmallDisk::mount(&program) else { return };
    // The function's image does not fit.
    let printed = program.run(["deploy"]).ends_with(1).stderr;
    assert!(printed.starts_with("error: "), "{printed}");
    assert!(printed.to_lowercase().contains("no space left on device"), "{printed}");
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&program.join().await.clients).await;
}
