//! The practice cluster, for real: over ssh (needs root) and on local folders. The doubles are driven as the
//! source page drives the product's scripts.

use camino::{Utf8Path, Utf8PathBuf};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use windlass::lab::{Double, Lab, LabError, Plan, Product, Role, Switch, Transport, enter};

const BINARY: &str = env!("CARGO_BIN_EXE_windlass");
const REPLACE: &str = r#"sh "$BIGDATA_HOME/om-0.0.1/sbin/replacehaSSLCert.sh""#;
const RESTART: &str = r#"sh "$BIGDATA_HOME/om-0.0.1/sbin/restart-oms.sh""#;
const STATUS: &str = r#"sh "$BIGDATA_HOME/om-0.0.1/sbin/status-oms.sh""#;
const PROMPT: &str = "Please input ha ssl cert password:";
const REPLACED: &str = "[INFO] Succeed to replace ha ssl cert.";
const RESTARTED: &str = "start HA successfully.";
/// Every character that a shell, sed or OpenSSL could take for its own.
const PASSWORD: &str = r#"a'b"c`d$HOME\n%s&|;<>(){}[]*?!~#=+-.,:/^@_9A"#;

struct Fixture {
    lab: Lab,
    dir: Utf8PathBuf,
    _folder: tempfile::TempDir,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // A test that ended it already made this fail, which is fine.
        let _ = self.lab.down();
    }
}

fn up(transport: Transport, members: usize) -> Fixture {
    up_as(Product::Mrs2, transport, members)
}

fn up_as(product: Product, transport: Transport, members: usize) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(folder.path()).unwrap().join("practice cluster");
    let plan = Plan { transport, product, members, binary: Some(BINARY.into()) };
    let lab = Lab::up(&dir, &plan)
        .unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)));
    Fixture { lab, dir, _folder: folder }
}

/// Returns an ssh lab, or None, having said why.
fn ssh(members: usize) -> Option<Fixture> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: a practice cluster over ssh needs root");
        return None;
    }
    Some(up(Transport::Ssh, members))
}

impl Fixture {
    /// A shell command as the service user of a node, with a login environment. Scripts lie where 2.x has
    /// them, and are found where this product does.
    fn as_omm(&self, node: &str, script: &str, input: &str) -> Output {
        let script = match self.lab.product() {
            Product::Mrs2 => script.to_owned(),
            Product::Mrs3 => script.replace("om-0.0.1", "om-server/om"),
        };
        let script = script.as_str();
        let mut command = match self.lab.transport() {
            Transport::Ssh => self.ssh(node, &[], script),
            Transport::Local => {
                let root = self.lab.node_root(node).unwrap();
                let environment = std::fs::read_to_string(root.join("login-env")).unwrap();
                let mut command = Command::new("sh");
                command
                    .args(["-c", script])
                    .env_clear()
                    .envs(environment.lines().map(|l| l.split_once('=').unwrap()));
                command
            }
        };
        feed(&mut command, input)
    }

    fn ssh(&self, node: &str, options: &[&str], script: &str) -> Command {
        assert!(!script.contains('\''));
        let mut command = self.lab.command("ssh").unwrap();
        command.arg("-F").arg(self.lab.ssh_config()).args(options).arg(node);
        command.arg(format!("sudo -n su - omm -c '{script}'"));
        command
    }

    fn check(&self, node: &str, script: &str, input: &str, said: &str) {
        let output = self.as_omm(node, script, input);
        assert!(output.status.success() && text(&output).contains(said), "{script}: {output:?}");
    }

    fn generate_root(&self, node: &str, password: &str) {
        let script = r#"sh "$OMS_RUN_PATH/workspace/ha/module/hacom/script/gen-cert.sh" --root-ca --country=DE --state=eur --city=b/e+r --company=dt --organize=IT --common-name=HADOOP.COM --email=abc@dt.com"#;
        match self.lab.product() {
            Product::Mrs2 => {
                let script = format!(r#"{script} "--password=$(cat)""#);
                self.check(node, &script, password, "Generate root-ca pair success.");
            }
            Product::Mrs3 => {
                let output = self.as_omm(node, script, &format!("{password}\n"));
                let said = text(&output);
                assert!(said.starts_with("Enter pass phrase for /"), "{output:?}");
                assert!(said.ends_with("/root-ca.pem:\nGenerate root-ca pair success.\n"), "{output:?}");
            }
        }
        self.check(
            node,
            r#"cp -p "$OMS_RUN_PATH"/workspace0/ha/local/cert/root-ca.crt "$OMS_RUN_PATH"/workspace0/ha/local/cert/root-ca.pem "$BIGDATA_HOME/om-0.0.1/security/certHA""#,
            "",
            "",
        );
    }

    fn cert_ha(&self, node: &str) -> Utf8PathBuf {
        let product = self.lab.product();
        let home = self.lab.node_root(node).unwrap().join(product.bigdata_home().trim_start_matches('/'));
        home.join(product.cert_ha())
    }

    /// Copies the root of master1 to master2, as the source page's scp does.
    fn copy_root(&self) {
        for file in ["root-ca.crt", "root-ca.pem"] {
            let content = std::fs::read(self.cert_ha("master1").join(file)).unwrap();
            // Written over in place: owner and mode stay those of the service user.
            std::fs::write(self.cert_ha("master2").join(file), content).unwrap();
        }
    }

    /// The certificate that a node's HA service really shows, verified against the root on `root_of`.
    fn served_verifies(&self, node: &str, root_of: &str) -> bool {
        let address = self.lab.status().unwrap().into_iter().find(|n| n.name == node).unwrap().address;
        let mut command = self.lab.command("openssl").unwrap();
        command.args(["s_client", "-connect", &format!("{address}:20012"), "-CAfile"]);
        command.arg(self.cert_ha(root_of).join("root-ca.crt"));
        text(&feed(&mut command, "")).contains("Verify return code: 0 (ok)")
    }

    fn page(&self) -> String {
        let mut command = self.lab.command("curl").unwrap();
        command.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"]);
        command.arg(self.dir.join("manager-ca.pem")).arg(self.lab.manager_url());
        text(&feed(&mut command, ""))
    }

    fn set(&self, switch: Switch) -> Vec<String> {
        self.lab.break_with(switch, None, false, &[]).unwrap()
    }

    fn heal(&self, switch: Switch) {
        self.lab.break_with(switch, None, true, &[]).unwrap();
    }

    fn roles(&self) -> [Option<Role>; 2] {
        let status = self.lab.status().unwrap();
        [status[0].role, status[1].role]
    }

    /// Both services say the same of the link.
    fn wait_all_normal(&self, normal: bool) {
        wait(&format!("all normal: {normal}"), || {
            self.lab.status().unwrap().iter().filter(|n| n.manager).all(|n| n.all_normal == Some(normal))
        });
    }

    fn executions(&self, node: &str, double: Double) -> usize {
        let journal = self.lab.journal(node).unwrap();
        journal.iter().filter(|line| line.ends_with(&format!(" {}", double.as_str()))).count()
    }
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(15);
    while !done() {
        assert!(Instant::now() < deadline, "{what} never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn feed(command: &mut Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input may have closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn content(folder: &Utf8Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = folder
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name() != ".filler")
        .map(|entry| (entry.file_name().to_owned(), std::fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

fn pair_comes_up_normal(fixture: &Fixture) {
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
fn a_pair_of_3_x_comes_up_normal_and_its_roots_are_made_behind_a_prompt() {
    for transport in [Transport::Local, Transport::Ssh] {
        if transport == Transport::Ssh && !nix::unistd::geteuid().is_root() {
            println!("skipped: a practice cluster over ssh needs root");
            continue;
        }
        let fixture = up_as(Product::Mrs3, transport, 0);
        pair_comes_up_normal(&fixture);
        replace_by_hand(&fixture);
        let refused = fixture.as_omm(
            "master1",
            r#"sh "$OMS_RUN_PATH/workspace/ha/module/hacom/script/gen-cert.sh" --root-ca --password=x"#,
            "",
        );
        assert_eq!(refused.status.code(), Some(1), "3.x takes no password as an argument");
    }
}

#[test]
fn after_a_restart_the_table_shows_null_for_as_long_as_the_switch_says() {
    let fixture = up(Transport::Local, 0);
    let set = fixture.lab.break_for(Switch::NullAfterRestart, Some("master1"), false, &[], 2).unwrap();
    assert_eq!(set, ["master1"]);
    fixture.check("master1", RESTART, "", RESTARTED);
    let started = Instant::now();
    let output = text(&fixture.as_omm("master1", STATUS, ""));
    assert_eq!(output.matches("NULL").count(), 10, "{output}");
    let status = &fixture.lab.status().unwrap()[0];
    assert_eq!((status.running, status.role), (true, None), "it runs, and shows nothing of itself");
    assert!(fixture.served_verifies("master1", "master1"), "the link does not wait for the table");
    fixture.wait_all_normal(true);
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
}

/// The source page, step by step.
fn replace_by_hand(fixture: &Fixture) {
    let old = std::fs::read(fixture.cert_ha("master1").join("root-ca.crt")).unwrap();
    fixture.generate_root("master1", PASSWORD);
    fixture.copy_root();
    let reply = format!("{PASSWORD}\n");

    let output = text(&fixture.as_omm("master1", REPLACE, &reply));
    assert_eq!(output, format!("{PROMPT}\n{REPLACED}\n"));
    assert_eq!(std::fs::read_to_string(fixture.cert_ha("master1").join(".ha_pass")).unwrap(), PASSWORD);
    fixture.check("master1", RESTART, "", RESTARTED);
    fixture.wait_all_normal(false);
    assert_eq!(fixture.lab.seen_by("master1", "master2"), None, "of a peer without a link nothing is known");
    assert_eq!(fixture.roles(), [Some(Role::Active), Some(Role::Standby)], "a lost link moves no role");

    fixture.check("master2", REPLACE, &reply, REPLACED);
    fixture.check("master2", RESTART, "", RESTARTED);
    fixture.wait_all_normal(true);
    for node in ["master1", "master2"] {
        let root = std::fs::read(fixture.cert_ha(node).join("root-ca.crt")).unwrap();
        assert_ne!(root, old);
        assert!(fixture.served_verifies(node, "master1"));
        assert_eq!(fixture.executions(node, Double::ReplaceHaSslCert), 1);
        assert_eq!(fixture.executions(node, Double::RestartOms), 1);
    }
    assert_eq!(fixture.page(), "200");
    key_opens_with(&fixture.cert_ha("master2").join("server.pem"), PASSWORD);
}

fn key_opens_with(key: &Utf8Path, password: &str) {
    let mut command = Command::new("openssl");
    command.args(["pkey", "-noout", "-passin", "stdin", "-in"]).arg(key);
    assert!(feed(&mut command, &format!("{password}\n")).status.success());
    assert!(!feed(&mut command, "another\n").status.success());
}

#[test]
fn replacing_by_hand_over_ssh_ends_with_a_new_root_on_both_and_normal() {
    let Some(fixture) = ssh(0) else { return };
    replace_by_hand(&fixture);
    // On a terminal the script asks too, and does not show what is typed.
    let output = feed(&mut fixture.ssh("master1", &["-tt"], REPLACE), &format!("{PASSWORD}\n"));
    let said = text(&output);
    assert!(output.status.success() && said.contains(PROMPT) && said.contains(REPLACED), "{said}");
}

#[test]
fn replacing_by_hand_in_folders_ends_with_a_new_root_on_both_and_normal() {
    replace_by_hand(&up(Transport::Local, 0));
}

#[test]
fn a_wrong_password_changes_nothing() {
    let fixture = up(Transport::Local, 0);
    let before = content(&fixture.cert_ha("master1"));
    for wrong in ["wrong\n", "\n", ""] {
        let output = fixture.as_omm("master1", REPLACE, wrong);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("[ERROR]"), "{output:?}");
    }
    assert_eq!(content(&fixture.cert_ha("master1")), before);
}

#[test]
fn switches_of_the_scripts_do_what_they_say() {
    let fixture = up(Transport::Local, 0);
    let reply = format!("{PASSWORD}\n");
    fixture.generate_root("master1", PASSWORD);

    assert_eq!(fixture.set(Switch::LyingSuccess), ["master1", "master2"]);
    let before = content(&fixture.cert_ha("master1"));
    fixture.check("master1", REPLACE, &reply, REPLACED);
    fixture.check("master1", RESTART, "", RESTARTED);
    assert_eq!(content(&fixture.cert_ha("master1")), before, "success text without effect");
    assert!(!fixture.served_verifies("master1", "master1"), "it still shows the old leaf");
    fixture.heal(Switch::LyingSuccess);

    fixture.set(Switch::PromptMissing);
    assert_eq!(text(&fixture.as_omm("master1", REPLACE, &reply)), format!("\n{REPLACED}\n"));
    fixture.heal(Switch::PromptMissing);
    assert_ne!(content(&fixture.cert_ha("master1")), before);

    fixture.set(Switch::PromptDifferent);
    let output = text(&fixture.as_omm("master1", REPLACE, &reply));
    assert!(!output.contains(PROMPT) && output.contains("pass phrase"), "{output}");
    fixture.heal(Switch::PromptDifferent);

    // Only in the script that is named.
    fixture.lab.break_with(Switch::WrongExit, Some("master1"), false, &[Double::ReplaceHaSslCert]).unwrap();
    let output = fixture.as_omm("master1", REPLACE, &reply);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output).contains(REPLACED));
    fixture.check("master1", RESTART, "", RESTARTED);
    fixture.heal(Switch::WrongExit);

    fixture.set(Switch::Slow);
    let started = Instant::now();
    fixture.check("master1", REPLACE, &reply, REPLACED);
    assert!(started.elapsed() >= Duration::from_secs(2));
    fixture.heal(Switch::Slow);

    fixture.set(Switch::Hang);
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| fixture.as_omm("master1", REPLACE, &reply));
        std::thread::sleep(Duration::from_millis(1500));
        assert!(!hanging.is_finished());
        fixture.heal(Switch::Hang);
        assert!(hanging.join().unwrap().status.success());
    });
    assert!(fixture.lab.status().unwrap().iter().all(|node| node.switches.is_empty()));
}

#[test]
fn switches_of_the_roles_do_what_they_say() {
    use Role::{Active, Standby};
    let fixture = up(Transport::Local, 0);
    fixture.set(Switch::RolesSwitched);
    assert_eq!(fixture.roles(), [Some(Standby), Some(Active)]);
    fixture.heal(Switch::RolesSwitched);
    assert_eq!(fixture.roles(), [Some(Active), Some(Standby)]);

    fixture.set(Switch::TwoActive);
    assert_eq!(fixture.roles(), [Some(Active), Some(Active)]);
    fixture.heal(Switch::TwoActive);
    fixture.set(Switch::NoneActive);
    assert_eq!(fixture.roles(), [Some(Standby), Some(Standby)]);
    assert_eq!(fixture.page(), "503");
    fixture.heal(Switch::NoneActive);
    assert_eq!(fixture.roles(), [Some(Active), Some(Standby)]);

    fixture.check("master1", RESTART, "", RESTARTED);
    assert_eq!(fixture.roles(), [Some(Active), Some(Standby)], "a restart does not move the role by itself");
    fixture.set(Switch::RoleMoves);
    fixture.check("master2", RESTART, "", RESTARTED);
    assert_eq!(fixture.roles(), [Some(Active), Some(Standby)], "the standby has none to give");
    fixture.check("master1", RESTART, "", RESTARTED);
    wait("the hand-over", || fixture.roles() == [Some(Standby), Some(Active)]);
    fixture.heal(Switch::RoleMoves);

    // The standby is master1 by now.
    assert_eq!(fixture.set(Switch::StandbyDown), ["master1"]);
    assert_eq!(fixture.roles(), [None, Some(Active)]);
    let output = text(&fixture.as_omm("master1", STATUS, ""));
    assert_eq!(output.matches("NULL").count(), 10, "{output}");
    wait("the loss of the link", || fixture.lab.seen_by("master2", "master1").is_none());
    assert_eq!(fixture.as_omm("master1", RESTART, "").status.code(), Some(1));
    fixture.heal(Switch::StandbyDown);
    fixture.wait_all_normal(true);
    assert_eq!(fixture.roles(), [Some(Standby), Some(Active)]);
}

#[test]
fn the_role_moves_at_a_restart_also_while_the_link_is_lost() {
    let fixture = up(Transport::Local, 0);
    fixture.generate_root("master2", PASSWORD);
    fixture.check("master2", REPLACE, &format!("{PASSWORD}\n"), REPLACED);
    fixture.check("master2", RESTART, "", RESTARTED);
    fixture.wait_all_normal(false);
    fixture.set(Switch::RoleMoves);
    fixture.check("master1", RESTART, "", RESTARTED);
    wait("the hand-over", || fixture.roles() == [Some(Role::Standby), Some(Role::Active)]);
}

#[test]
fn a_clock_that_is_off_is_off_for_the_service_user() {
    let fixture = up(Transport::Local, 0);
    let ahead = || {
        let output = text(&fixture.as_omm("master2", "date +%s%N", ""));
        let there: i128 = output.trim().parse().unwrap();
        let here = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        (there - here.as_nanos() as i128) / 1_000_000_000
    };
    assert_eq!(ahead(), 0);
    assert_eq!(fixture.set(Switch::ClockOff), ["master2"]);
    assert!((24..=25).contains(&ahead()), "{}", ahead());
    fixture.heal(Switch::ClockOff);
    assert_eq!(ahead(), 0);
}

#[test]
fn switches_that_need_nodes_of_their_own_do_what_they_say() {
    let Some(fixture) = ssh(0) else { return };
    // A node that loses its power keeps what is on its disk, and no process; its services start with it.
    fixture.check(
        "master2",
        "echo kept > ~/kept; (setsid sleep 1000 </dev/null >/dev/null 2>&1 &) ; cat ~/kept",
        "",
        "kept",
    );
    fixture.lab.break_with(Switch::NodeDown, Some("master2"), false, &[]).unwrap();
    let soon = &["-o", "ConnectTimeout=2"];
    assert_eq!(feed(&mut fixture.ssh("master2", soon, "true"), "").status.code(), Some(255));
    wait("the loss of the node", || fixture.lab.seen_by("master1", "master2").is_none());
    fixture.heal(Switch::NodeDown);
    fixture.check("master2", "cat ~/kept; pgrep -x sleep || echo none", "", "kept\nnone");
    fixture.wait_all_normal(true);

    // A full disk: the script fails, and what was there is whole.
    fixture.generate_root("master2", PASSWORD);
    let before = content(&fixture.cert_ha("master2"));
    assert_eq!(fixture.set(Switch::DiskFull), ["master2"]);
    let output = fixture.as_omm("master2", REPLACE, &format!("{PASSWORD}\n"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let served = |all: Vec<(String, Vec<u8>)>| -> Vec<_> {
        all.into_iter()
            .filter(|(name, _)| ["server.crt", "server.pem", ".ha_pass"].contains(&name.as_str()))
            .collect()
    };
    assert_eq!(served(content(&fixture.cert_ha("master2"))), served(before));
    fixture.heal(Switch::DiskFull);
    fixture.check("master2", REPLACE, &format!("{PASSWORD}\n"), REPLACED);

    // Another host key: ssh refuses, and the known one is taken again.
    assert_eq!(fixture.set(Switch::HostKeyChanged), ["master2"]);
    let output = fixture.as_omm("master2", "true", "");
    assert_eq!(output.status.code(), Some(255));
    assert!(String::from_utf8_lossy(&output.stderr).contains("IDENTIFICATION HAS CHANGED"), "{output:?}");
    fixture.heal(Switch::HostKeyChanged);
    fixture.check("master2", "echo in", "", "in");

    // A node whose link is down: the peer sees nothing of it, and the page is gone with the active.
    fixture.lab.break_with(Switch::LinkDown, Some("master1"), false, &[]).unwrap();
    wait("the loss of the link", || fixture.lab.seen_by("master2", "master1").is_none());
    assert_eq!(fixture.page(), "503");
    assert_eq!(fixture.roles(), [Some(Role::Active), Some(Role::Standby)]);
    fixture.heal(Switch::LinkDown);
    fixture.wait_all_normal(true);
    wait("the page", || fixture.page() == "200");

    // A service that was stopped starts again as the service user.
    assert_eq!(fixture.set(Switch::StandbyDown), ["master2"]);
    assert_eq!(fixture.roles(), [Some(Role::Active), None]);
    fixture.heal(Switch::StandbyDown);
    fixture.check("master2", "ps -o user= -C windlass-lab", "", "omm");
}

#[test]
fn a_switch_that_makes_no_sense_is_refused_and_says_why() {
    let fixture = up(Transport::Local, 1);
    let refused = |switch, node, scripts: &[Double]| {
        fixture.lab.break_with(switch, node, false, scripts).unwrap_err().to_string()
    };
    assert!(refused(Switch::DiskFull, None, &[]).contains("no filesystem of its own"));
    assert!(refused(Switch::Hang, Some("master9"), &[]).contains("master1, master2, member1"));
    assert!(refused(Switch::Hang, Some("member1"), &[]).contains("no manager"));
    assert!(refused(Switch::TwoActive, Some("master1"), &[]).contains("leave --node out"));
    assert!(refused(Switch::PromptMissing, None, &[Double::RestartOms]).contains("does not look"));
}

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
