//! What the supervisor does when a switch is set: files for the doubles, roles for the pair, and on ssh the
//! nodes' disks, links and host keys.

use super::error::{LabError, Result};
use super::ha::{self, Role};
use super::layout::{LAB_STATE, Layout, NodeSpec, SERVICE_USER, SERVICE_USER_ID, Spec, Transport};
use super::namespace::{self, HOST_KEY, PATH, SSHD_PID, interface, succeeded};
use super::process::{Process, output_inside};
use super::switch::{Double, Reach, Switch};
use super::tree::put;
use camino::{Utf8Path, Utf8PathBuf};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const DATE: &str = include_str!("doubles/date.sh");
const DISK_FULL: &str = include_str!("doubles/disk-full.sh");
/// How long a change may take to show in the tables.
const PATIENCE: Duration = Duration::from_secs(5);

/// A line on the control socket.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub switch: Switch,
    pub node: Option<String>,
    pub off: bool,
    pub doubles: Vec<Double>,
    pub seconds: u32,
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// Where it was set.
    pub nodes: Vec<String>,
    pub error: Option<String>,
}

/// A running practice cluster, as its supervisor holds it.
pub(super) struct Cluster {
    pub layout: Arc<Layout>,
    pub spec: Arc<Spec>,
    /// On ssh, the first process of each node, as the supervisor sees it.
    pids: Mutex<Vec<i32>>,
    /// On local, what the services end with.
    _pulse: Option<std::fs::File>,
}

impl Cluster {
    pub fn new(layout: Arc<Layout>, spec: Arc<Spec>, pids: Vec<i32>, pulse: Option<std::fs::File>) -> Self {
        Self { layout, spec, pids: Mutex::new(pids), _pulse: pulse }
    }

    pub fn is_node_alive(&self, index: usize) -> bool {
        self.first_process(index).is_some()
    }

    fn first_process(&self, index: usize) -> Option<i32> {
        let pid = *self.pids.lock().unwrap_or_else(PoisonError::into_inner).get(index)?;
        Process::of(pid).map(|process| process.pid)
    }

    pub fn state(&self, node: &NodeSpec) -> Utf8PathBuf {
        self.layout.state(&node.name)
    }

    fn index(&self, node: &NodeSpec) -> usize {
        self.spec.nodes.iter().position(|other| other.name == node.name).unwrap_or_default()
    }

    pub fn pid(&self, node: &NodeSpec) -> Result<i32> {
        self.first_process(self.index(node))
            .ok_or_else(|| LabError::failed(format!("reach {}", node.name), "its first process has ended"))
    }

    /// Sets or heals a switch and returns the names of the nodes that it was set on.
    pub fn obey(&self, order: &Order) -> Result<Vec<String>> {
        let switch = order.switch;
        let nodes = self.targets(order)?;
        let on = !order.off;
        let doubles = match (order.doubles.as_slice(), switch.doubles()) {
            ([], all) => all,
            (chosen, all) => match chosen.iter().find(|double| !self.reads(all, **double)) {
                None => chosen,
                Some(other) => {
                    return Err(LabError::failed(
                        format!("set {} for {}", switch.as_str(), other.as_str()),
                        "that script does not look at this switch",
                    ));
                }
            },
        };
        if switch.reach() == Reach::Pair {
            self.turn_roles(switch, on)?;
        }
        for node in &nodes {
            let state = self.state(node);
            // Twice the same is once: what is not on needs no healing, and what is on is not done again.
            let changes = switch.is_on(&state) != on;
            if on && changes {
                self.act(switch, node, on)?;
            }
            switch.mark(&state, on, doubles, order.seconds)?;
            if !on && changes {
                self.act(switch, node, on)?;
            }
        }
        self.settle(switch, &nodes, on)?;
        Ok(nodes.iter().map(|node| node.name.clone()).collect())
    }

    fn reads(&self, all: &[Double], double: Double) -> bool {
        let many = all.contains(&Double::RestartOms);
        all.contains(&double) || (many && Double::WHERE_NAMED.contains(&double))
    }

    fn targets(&self, order: &Order) -> Result<Vec<&NodeSpec>> {
        let switch = order.switch;
        let refused = |node: &str, why: &str| LabError::Switch {
            switch: switch.as_str(),
            node: node.to_owned(),
            why: why.to_owned(),
        };
        let Some(name) = &order.node else {
            return Ok(match switch.reach() {
                Reach::Managers | Reach::Pair => self.spec.managers().collect(),
                // What is healed is what was broken, whichever role it has by now.
                Reach::Standby | Reach::Last if order.off => {
                    self.spec.nodes.iter().filter(|node| switch.is_on(&self.state(node))).collect()
                }
                Reach::Standby => self.standby().into_iter().collect(),
                Reach::Last => {
                    let member = self.spec.nodes.iter().rfind(|node| !node.manager);
                    member.or_else(|| self.standby()).into_iter().collect()
                }
            });
        };
        let node = self.spec.node(name)?;
        let of_the_pair = !matches!(
            switch,
            Switch::LinkDown
                | Switch::NodeDown
                | Switch::DiskFull
                | Switch::HomeFull
                | Switch::HostKeyChanged
                | Switch::ClockOff
                | Switch::MissesKey
                | Switch::StuckService
        );
        if of_the_pair && !node.manager {
            return Err(refused(name, "it is no manager"));
        }
        if switch.reach() == Reach::Pair {
            return Err(refused(name, "it is for the pair as a whole; leave --node out"));
        }
        Ok(vec![node])
    }

    /// The standby; the second of the pair where none or both are.
    fn standby(&self) -> Option<&NodeSpec> {
        let role = |node: &&NodeSpec| Role::read(&self.state(node)).ok();
        let mut standby = self.spec.managers().filter(|node| role(node) == Some(Role::Standby));
        match (standby.next(), standby.next()) {
            (Some(one), None) => Some(one),
            _ => self.spec.managers().last(),
        }
    }

    fn turn_roles(&self, switch: Switch, on: bool) -> Result<()> {
        use Role::{Active, Standby};
        let states: Vec<_> = self.spec.managers().map(|node| self.state(node)).collect();
        let [first, second] = states.as_slice() else {
            return Err(LabError::failed("turn the roles", "there is no pair"));
        };
        if switch.is_on(first) == on && switch != Switch::RolesSwitched {
            return Ok(());
        }
        let wanted = match (switch, on) {
            (Switch::TwoActive, true) => [Active, Active],
            (Switch::NoneActive, true) => [Standby, Standby],
            (Switch::RolesSwitched, true) => [Role::read(second)?, Role::read(first)?],
            (Switch::RolesSwitched, false) if !switch.is_on(first) => return Ok(()),
            // Healed: as after an installation.
            _ => [Active, Standby],
        };
        // The one that steps down first, so that a switch of places never makes two.
        let mut moves = [(first, wanted[0]), (second, wanted[1])];
        moves.sort_by_key(|(_, role)| *role == Active);
        for (state, role) in moves {
            role.write(state)?;
        }
        Ok(())
    }

    fn act(&self, switch: Switch, node: &NodeSpec, on: bool) -> Result<()> {
        match switch {
            Switch::ClockOff => {
                let date = self.state(node).join("bin/date");
                if on {
                    return put(&date, 0o755, DATE);
                }
                std::fs::remove_file(&date).map_err(LabError::file("remove", date))
            }
            Switch::DiskFull | Switch::HomeFull => {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", DISK_FULL, "disk-full", if on { "on" } else { "off" }]);
                let product = self.spec.product;
                let folder = match switch {
                    Switch::HomeFull => format!("/home/{SERVICE_USER}"),
                    // With certHA below it.
                    _ => format!("{}/{}/security", product.bigdata_home(), product.om()),
                };
                command.args([folder, SERVICE_USER_ID.to_string()]);
                command.env_clear().env("PATH", PATH);
                self.run_inside(node, &mut command, "fill the disk")
            }
            Switch::LinkDown => {
                let way = if on { "down" } else { "up" };
                namespace::ip(&format!("link set {} {way}\n", interface(self.index(node))))
            }
            Switch::NodeDown if on => self.cut_power(node),
            Switch::NodeDown => self.power_on(node),
            Switch::HostKeyChanged => self.change_host_key(node, on),
            Switch::StandbyDown if !on => self.start_ha(node),
            _ => Ok(()),
        }
    }

    /// Kills a node's first process, and so all of the node. Its cable goes first: a node without power says no
    /// farewell, and a connection that still has something to send would keep its network for as long.
    fn cut_power(&self, node: &NodeSpec) -> Result<()> {
        let pid = Pid::from_raw(self.pid(node)?);
        let doing = format!("cut the power of {}", node.name);
        namespace::ip(&format!("link del {}\n", interface(self.index(node))))?;
        kill(pid, Signal::SIGKILL).map_err(LabError::system(&doing))?;
        // It ends when the last of its node has.
        waitpid(pid, None).map(drop).map_err(LabError::system(&doing))
    }

    fn power_on(&self, node: &NodeSpec) -> Result<()> {
        let index = self.index(node);
        let pid = namespace::start_again(&self.layout, &self.spec, index)?;
        if let Some(place) = self.pids.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            *place = pid;
        }
        self.wait_for_sshd(node, format!("start {}", node.name))
    }

    /// Waits until the pair shows what was done, so that the next command sees it.
    fn settle(&self, switch: Switch, nodes: &[&NodeSpec], on: bool) -> Result<()> {
        let shown = || match switch {
            Switch::StandbyDown if on => nodes.iter().all(|node| !ha::is_running(&self.state(node))),
            Switch::NodeDown if on => true,
            Switch::StandbyDown | Switch::NodeDown => {
                nodes.iter().all(|node| !node.manager || ha::is_running(&self.state(node)))
            }
            _ if switch.reach() == Reach::Pair => self.tables_agree(),
            _ => true,
        };
        if !comes(shown) {
            let log = nodes.first().map(|node| namespace::ha_log(&self.layout, &node.name));
            return Err(LabError::Start {
                what: switch.as_str().to_owned(),
                why: format!("the pair did not show it within {PATIENCE:?}"),
                log: log.unwrap_or_else(|| self.layout.log()),
            });
        }
        Ok(())
    }

    /// Every running service prints the roles as they are on disk, as far as it sees the members.
    fn tables_agree(&self) -> bool {
        self.spec.managers().filter(|node| ha::is_running(&self.state(node))).all(|node| {
            self.spec.managers().all(|member| {
                let role = Role::read(&self.state(member)).ok();
                ha::seen(&self.state(node), &member.table_name()).is_none_or(|seen| Some(seen.role) == role)
            })
        })
    }

    /// Starts a manager's HA service as its service user.
    pub fn start_ha(&self, node: &NodeSpec) -> Result<()> {
        let doing = format!("start HA on {}", node.name);
        match self.spec.transport {
            Transport::Ssh => {
                let service = format!(
                    "exec \"$BIGDATA_HOME/{LAB_STATE}/windlass\" lab-service ha-start \"$BIGDATA_HOME/{LAB_STATE}\""
                );
                succeeded(self.as_service_user(node, &service)?, &doing)
            }
            Transport::Local => {
                let mut command = Command::new(&self.spec.binary);
                command.args(["lab-service", "ha-start", self.state(node).as_str()]);
                succeeded(command.output().map_err(LabError::system(&doing))?, &doing)
            }
        }
    }

    /// Runs a shell command on a node as its service user, with its login environment.
    pub fn as_service_user(&self, node: &NodeSpec, script: &str) -> Result<Output> {
        let failed = |error| LabError::system(format!("work as {SERVICE_USER} on {}", node.name))(error);
        match self.spec.transport {
            Transport::Ssh => {
                let mut command = Command::new("/bin/su");
                command.args(["-", SERVICE_USER, "-c", script]).env_clear().env("PATH", PATH);
                output_inside(self.pid(node)?, &mut command).map_err(failed)
            }
            Transport::Local => {
                let path = self.layout.local_root(&node.name).join("login-env");
                let text = std::fs::read_to_string(&path).map_err(LabError::file("read", &path))?;
                let environment = text.lines().filter_map(|line| line.split_once('='));
                let mut command = Command::new("sh");
                command.args(["-c", script]).env_clear().envs(environment).stdin(Stdio::null());
                command.output().map_err(failed)
            }
        }
    }

    fn run_inside(&self, node: &NodeSpec, command: &mut Command, doing: &str) -> Result<()> {
        let doing = format!("{doing} on {}", node.name);
        let output = output_inside(self.pid(node)?, command).map_err(LabError::system(&doing))?;
        succeeded(output, &doing)
    }

    /// Gives a node another host key, or its known one back, and waits until its sshd has it.
    fn change_host_key(&self, node: &NodeSpec, on: bool) -> Result<()> {
        let pid = self.pid(node)?;
        let key = Utf8PathBuf::from(format!("/proc/{pid}/root{HOST_KEY}"));
        let known = Utf8PathBuf::from(format!("{key}.known"));
        let rename =
            |from: &Utf8Path, to: &Utf8Path| std::fs::rename(from, to).map_err(LabError::file("move", from));
        if on {
            rename(&key, &known)?;
            let public = Utf8PathBuf::from(format!("{key}.pub"));
            std::fs::remove_file(&public).map_err(LabError::file("remove", &public))?;
            namespace::generate_host_key(&key, &node.name)?;
        } else {
            rename(&known, &key)?;
        }
        // At SIGHUP sshd removes its pid file, starts itself anew, and writes the file when it listens.
        let pid_file = self.state(node).join(SSHD_PID);
        std::fs::remove_file(&pid_file).map_err(LabError::file("remove", &pid_file))?;
        let doing = format!("restart sshd on {}", node.name);
        kill(Pid::from_raw(pid), Signal::SIGHUP).map_err(LabError::system(&doing))?;
        self.wait_for_sshd(node, doing)
    }

    fn wait_for_sshd(&self, node: &NodeSpec, doing: String) -> Result<()> {
        let pid_file = self.state(node).join(SSHD_PID);
        if !comes(|| pid_file.exists()) {
            return Err(LabError::Start {
                what: doing,
                why: "it did not listen again".to_owned(),
                log: self.state(node).join(namespace::SSHD_LOG),
            });
        }
        Ok(())
    }
}

/// Whether it comes true in time.
fn comes(holds: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
