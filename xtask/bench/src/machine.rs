//! What the figures were measured on.

pub fn describe() -> String {
    let first = |path: &str, key: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(['=', ':']).map(|(_, value)| value.trim().trim_matches('"').to_string())
    };
    let model = first("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown processor".into());
    let system = first("/etc/os-release", "PRETTY_NAME").unwrap_or_else(|| "an unknown system".into());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel: String = kernel.trim().chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let rustc = std::process::Command::new("rustc").arg("--version").output();
    let rustc = rustc.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_string()).unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("{model}, {cores} cores; {system}, Linux {kernel}; {rustc}; load before: {load}")
}
