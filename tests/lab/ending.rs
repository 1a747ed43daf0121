//! What is left of a practice cluster that has ended, in order or not.

use super::*;

/// Processes whose arguments name the folder, and mounts below it.
fn traces(dir: &Utf8Path) -> Vec<String> {
    let mut found: Vec<String> = Utf8Path::new("/proc")
        .read_dir_utf8()
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().parse::<u32>().is_ok())
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok())
        .filter(|arguments| arguments.contains(dir.as_str()))
        .collect();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap().replace("\\040", " ");
    found.extend(mounts.lines().filter(|line| line.contains(dir.as_str())).map(str::to_owned));
    found
}

fn down_leaves_nothing(fixture: &Fixture) {
    // What hangs ends too.
    fixture.set(Switch::Hang);
    let mut hanging = match fixture.lab.transport() {
        Transport::Ssh => fixture.ssh("master1", &[], RESTART),
        Transport::Local => {
            let mut command = Command::new("sh");
            command.arg(
                fixture.lab.node_root("master1").unwrap().join("opt/Bigdata/om-0.0.1/sbin/restart-oms.sh"),
            );
            let home = fixture.lab.node_root("master1").unwrap().join("opt/Bigdata");
            command.env("BIGDATA_HOME", &home).env("OMS_RUN_PATH", home.join("OMSV100R001C00x8664"));
            command
        }
    }
    .stdout(Stdio::null())
    .stderr(Stdio::null())
    .spawn()
    .unwrap();
    wait("the hanging script", || fixture.executions("master1", Double::RestartOms) == 1);
    assert!(!traces(&fixture.dir).is_empty());
    fixture.lab.down().unwrap();
    hanging.wait().unwrap();
    wait("the end of every process", || traces(&fixture.dir).is_empty());
    assert!(!fixture.dir.exists());
    assert!(matches!(Lab::open(&fixture.dir), Err(LabError::NotALab { .. })));
}

#[test]
fn down_leaves_no_process_and_no_mount_of_an_ssh_lab() {
    let Some(fixture) = ssh(2) else { return };
    down_leaves_nothing(&fixture);
}

#[test]
fn down_leaves_no_process_of_a_local_lab() {
    down_leaves_nothing(&up(Transport::Local, 0));
}

#[test]
fn a_lab_whose_supervisor_was_killed_ends_by_itself_and_comes_up_again() {
    let fixture = up(Transport::Local, 0);
    let pid = std::fs::read_to_string(fixture.dir.join("lab/pid")).unwrap();
    let pid: i32 = pid.split(' ').next().unwrap().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    wait("the end of every process", || traces(&fixture.dir).is_empty());
    assert!(matches!(fixture.lab.status(), Err(LabError::Gone { .. })));
    assert!(enter(&fixture.dir.join("lab/pid")).is_err());
    std::fs::write(
        fixture.dir.join("site.toml"),
        "# A practice cluster, written by `windlass lab up`.\n# edited\n",
    )
    .unwrap();
    let plan =
        Plan { transport: Transport::Local, product: Product::Mrs2, members: 0, binary: Some(BINARY.into()) };
    let lab = Lab::up(&fixture.dir, &plan).unwrap();
    assert!(lab.is_up());
    assert!(std::fs::read_to_string(fixture.dir.join("site.toml.old")).unwrap().contains("edited"));
    lab.down().unwrap();
}
