//! root-key planned and run on 2,000 members: what the controller needs for it.
//!
//! The members are folders of this machine with a key set and a `services.sh` that does as it is told; everything
//! else is the real thing: scripts, journal, mirror, lease. Time says little, as one machine does all nodes' work.

use crate::Result;
use crate::times::shown;
use camino::Utf8Path;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use windlass::lab::{Lab, Plan, Product, Transport};

const MEMBERS: usize = 2_000;
/// MiB.
const GOAL: u64 = 200;

pub fn measure(binary: &Utf8Path, folder: &Utf8Path) -> Result<()> {
    let plan = Plan {
        transport: Transport::Local,
        product: Product::Mrs2,
        members: 0,
        binary: Some(binary.to_path_buf()),
    };
    let lab = Lab::up(&folder.join("simulated"), &plan)?;
    let measured = simulate(&lab).and_then(|()| on(&lab, binary, folder));
    let down = lab.down();
    measured.and(down.map_err(Into::into))
}

/// Adds the members to the site, and has the cluster stopped and started by a file that all of them look at.
fn simulate(lab: &Lab) -> Result<()> {
    let site = lab.dir();
    let keyset = std::fs::read(lab.node_root("master1")?.join("opt/Bigdata/om-0.0.1/security/keyset.json"))?;
    let flag = site.join("services");
    std::fs::write(&flag, "started\n")?;
    let services = format!(
        "read -r now <'{flag}'\n[ \"$1\" = \"$now\" ] || {{ echo DBService; exit 1; }}\necho DBService\n"
    );
    let mut nodes = String::new();
    for number in 1..=MEMBERS {
        let name = format!("member{number}");
        let root = site.join("nodes").join(&name);
        let om = root.join("opt/Bigdata/om-0.0.1");
        for below in ["security", "sbin"] {
            std::fs::create_dir_all(om.join(below))?;
        }
        std::fs::create_dir_all(root.join("home/omm"))?;
        std::fs::write(om.join("sbin/services.sh"), &services)?;
        let file = om.join("security/keyset.json");
        std::fs::write(&file, &keyset)?;
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600))?;
        let login = format!(
            "HOME={root}/home/omm\nUSER=omm\nLOGNAME=omm\nBIGDATA_HOME={root}/opt/Bigdata\nOMS_RUN_PATH={root}/oms\nPATH=/usr/bin:/bin\n"
        );
        std::fs::write(root.join("login-env"), login)?;
        write!(nodes, "[nodes.{name}]\nlocal = \"nodes/{name}\"\ngroups = [\"members\"]\n\n")?;
    }
    for manager in ["master1", "master2"] {
        std::fs::write(lab.node_root(manager)?.join("opt/Bigdata/om-0.0.1/sbin/services.sh"), &services)?;
    }
    let path = site.join("site.toml");
    let text = std::fs::read_to_string(&path)?;
    std::fs::write(&path, text.replacen("[manager]\n", &format!("{nodes}[manager]\n"), 1))?;
    let path = site.join("profiles/practice.toml");
    let text = std::fs::read_to_string(&path)?;
    let (head, _) = text.split_once("[commands.").ok_or("the profile has no commands")?;
    let mut profile = head.to_owned();
    for (command, word) in [("stop-cluster", "stopped"), ("start-cluster", "started")] {
        write!(
            profile,
            "[commands.{command}]\noverride = true\nkind = \"change\"\nargv = [\"sh\", \"-c\", \"echo {word} >'{flag}'\"]\n\
             user = \"omm\"\nwrites = []\nsettle = \"services-{word}\"\neverywhere = true\n\n"
        )?;
    }
    profile.push_str("[defaults.root-key]\noverride = true\nproduct_reads_keyset = \"yes\"\n");
    Ok(std::fs::write(path, profile)?)
}

fn on(lab: &Lab, binary: &Utf8Path, folder: &Utf8Path) -> Result<()> {
    let native = ["root-key", "-p", "update=native"];
    let planned = spend(lab, binary, folder, &[&["plan"][..], &native].concat())?;
    let token = planned.out.split_once("unasked with --ack ").and_then(|(_, rest)| rest.split(')').next());
    let token = token.ok_or("the plan names no token")?;
    planned.tell("plan of root-key on 2,000 members", &format!("{} lines", planned.out.lines().count()));
    let run = [&["run"][..], &native, &["--yes", "--ack", token]].concat();
    let ran = spend(lab, binary, folder, &run)?;
    ran.tell("run of root-key on 2,000 members", "journal, mirror and lease as everywhere");
    Ok(())
}

struct Spent {
    out: String,
    seconds: f64,
    /// MiB at most.
    memory: u64,
}

impl Spent {
    fn tell(&self, what: &str, note: &str) {
        let verdict = if self.memory < GOAL { "met" } else { "MISSED" };
        let (memory, took) = (self.memory, shown(self.seconds));
        println!("{what:<52} {memory:>6} MiB  goal {GOAL} MiB {verdict}");
        println!("    in {took}; {note}");
    }
}

/// Runs windlass and looks at its peak memory until it ends.
fn spend(lab: &Lab, binary: &Utf8Path, folder: &Utf8Path, arguments: &[&str]) -> Result<Spent> {
    let began = Instant::now();
    let (out, err) = (folder.join("spent.out"), folder.join("spent.err"));
    let mut child = Command::new(binary)
        .args(["-C", lab.dir().as_str()])
        .args(arguments)
        .env("WINDLASS_STATE_DIR", folder.join("simulated-state"))
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&out)?)
        .stderr(std::fs::File::create(&err)?)
        .spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut memory = 0;
    let ended = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        memory = memory.max(peak.and_then(|kib| kib.trim().parse::<u64>().ok()).unwrap_or_default());
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let seconds = began.elapsed().as_secs_f64();
    match ended.success() {
        true => Ok(Spent { out: std::fs::read_to_string(out)?, seconds, memory: memory.div_ceil(1024) }),
        false => Err(format!("windlass {arguments:?}: {}", std::fs::read_to_string(err)?).into()),
    }
}
