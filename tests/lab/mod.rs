//! The practice cluster, for real: over ssh (needs root) and on local folders. The doubles are driven as the
//! source page drives the product's scripts.

mod by_hand;
mod coming_up;
mod declared;
mod ending;
mod root_key;
mod services;
mod switches;

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

    /// A path below the OM folder of a node.
    fn om(&self, node: &str, path: &str) -> Utf8PathBuf {
        // certHA lies in `security`.
        self.cert_ha(node).parent().unwrap().parent().unwrap().join(path)
    }

    /// A path below `BIGDATA_HOME` of a node.
    fn product_home(&self, node: &str, path: &str) -> Utf8PathBuf {
        let home = self.lab.product().bigdata_home().trim_start_matches('/');
        self.lab.node_root(node).unwrap().join(home).join(path)
    }

    /// Asks the manager's API, and returns status and body.
    fn ask(&self, method: &str, name: &str, body: &str) -> (u16, String) {
        let mut command = self.lab.command("curl").unwrap();
        command.args(["-s", "-w", "%{http_code}", "-X", method, "--cacert"]);
        command.arg(self.dir.join("manager-ca.pem"));
        command.args(["-H", "Content-Type: text/plain", "--data-binary", body]);
        command.arg(format!("{}/api/{name}", self.lab.manager_url()));
        let said = text(&feed(&mut command, ""));
        let (body, status) = said.split_at(said.len() - 3);
        (status.parse().unwrap(), body.to_owned())
    }

    fn services(&self) -> String {
        let (status, lines) = self.ask("GET", "services", "");
        assert_eq!(status, 200, "{lines}");
        lines
    }

    /// Begins an operation of the manager's and returns how it ended.
    fn operate(&self, name: &str) -> String {
        assert_eq!(self.ask("POST", name, "").0, 202);
        self.operated()
    }

    fn operated(&self) -> String {
        let ended = std::cell::RefCell::default();
        wait("the end of the operation", || {
            let (status, how) = self.ask("GET", "operation", "");
            assert_eq!(status, 200, "{how}");
            *ended.borrow_mut() = how;
            *ended.borrow() != "running\n"
        });
        ended.into_inner()
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
