//! A pair comes up, normal, on either transport; and what `up` refuses.

use super::*;

pub(super) fn pair_comes_up_normal(fixture: &Fixture) {
    assert_eq!(fixture.roles(), [Some(Role::Active), Some(Role::Standby)]);
    fixture.wait_all_normal(true);
    assert_eq!(fixture.page(), "200");
    for node in ["master1", "master2"] {
        let output = text(&fixture.as_omm(node, STATUS, ""));
        let (mode, normal) = match fixture.lab.product() {
            Product::Mrs2 => ("Ha mode\ndouble\n", " normal "),
            Product::Mrs3 => ("HAMode\ndouble\n", "  Normal      "),
        };
        assert!(output.starts_with(mode) && output.contains("gaussDB"), "{output}");
        let members = output.split("\n\n").next().unwrap();
        assert_eq!(members.matches(normal).count(), 2, "{output}");
        assert!(fixture.served_verifies(node, "master1"));
    }
    let mode = |file: &str| fixture.dir.join(file).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("ha-key.secret"), 0o600);
    let site: toml::Table = std::fs::read_to_string(fixture.dir.join("site.toml")).unwrap().parse().unwrap();
    assert_eq!(site["nodes"].as_table().unwrap().len(), fixture.lab.status().unwrap().len());
}

#[test]
fn a_pair_over_ssh_comes_up_normal() {
    let Some(fixture) = ssh(1) else { return };
    pair_comes_up_normal(&fixture);
    // Nothing of this machine's homes is seen, the node has its own name, and login is by the known key.
    fixture.check("member1", "hostname; id -un; umask; ls /home", "", "member1\nomm\n0077\nadmin\nomm\n");
    // From any shell: by entering the network.
    let pid = fixture.dir.join("lab/pid");
    let entered = std::thread::spawn(move || {
        enter(&pid).unwrap();
        std::net::TcpStream::connect("10.77.0.9:28443").is_ok()
    });
    assert!(entered.join().unwrap());
}

#[test]
fn a_pair_of_folders_comes_up_normal() {
    pair_comes_up_normal(&up(Transport::Local, 0));
}

#[test]
fn up_refuses_a_site_that_is_not_its_own_and_a_lab_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(folder.path()).unwrap();
    std::fs::write(dir.join("site.toml"), "[site]\n").unwrap();
    let plan =
        Plan { transport: Transport::Local, product: Product::Mrs2, members: 0, binary: Some(BINARY.into()) };
    assert!(matches!(Lab::up(dir, &plan), Err(LabError::Occupied { .. })));
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 1);

    let fixture = up(Transport::Local, 0);
    assert!(matches!(Lab::up(&fixture.dir, &plan), Err(LabError::AlreadyUp { .. })));
    fixture.wait_all_normal(true);
}
