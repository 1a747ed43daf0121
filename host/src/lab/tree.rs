//! The files of a node "as installed": the product's folders, the doubles of its scripts, its certificates.

use super::error::{LabError, Result};
use super::layout::{LAB_STATE, Layout, NodeSpec, Spec};
use super::pki::{Initial, Pair};
use super::product::Product;
use super::services;
use crate::lab::ha;
use camino::{Utf8Path, Utf8PathBuf};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};

const COMMON: &str = include_str!("doubles/common.sh");
const GEN_CERT: &str = include_str!("doubles/gen-cert.sh");
const REPLACE: &str = include_str!("doubles/replacehaSSLCert.sh");
const RESTART: &str = include_str!("doubles/restart-oms.sh");
const STATUS: &str = include_str!("doubles/status-oms.sh");
const SERVICES: &str = include_str!("doubles/services.sh");
const UPDATE_ROOT_KEY: &str = include_str!("doubles/updateRootKey.sh");

/// Writes a file with exactly this mode, and the folders above it.
pub(super) fn put(path: &Utf8Path, mode: u32, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(LabError::file("make", parent))?;
    }
    // Created closed, so that a secret is never readable in between.
    let mut options = fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, content.as_ref()))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(LabError::file("write", path))
}

pub(super) fn folder(path: &Utf8Path, mode: u32) -> Result<()> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(LabError::file("make", path))
}

/// Gives a whole tree to a user.
pub(super) fn own(path: &Utf8Path, id: u32) -> Result<()> {
    lchown(path, Some(id), Some(id)).map_err(LabError::file("change the owner of", path))?;
    if path.is_dir() && !path.is_symlink() {
        for entry in path.read_dir_utf8().map_err(LabError::file("read", path))? {
            own(entry.map_err(LabError::file("read", path))?.path(), id)?;
        }
    }
    Ok(())
}

/// Returns the login environment of a node's service user, whose product lies in `bigdata_home`.
pub(super) fn login_environment(product: Product, bigdata_home: &Utf8Path) -> [(&'static str, String); 2] {
    [
        ("BIGDATA_HOME", bigdata_home.to_string()),
        ("OMS_RUN_PATH", bigdata_home.join(product.oms_run_folder()).to_string()),
    ]
}

/// Writes what the product has on a node, below `root`. `pair` is that of a manager.
pub(super) fn install(
    root: &Utf8Path,
    product: Product,
    initial: &Initial,
    pair: Option<&Pair>,
) -> Result<()> {
    let home = inside(root, product.bigdata_home());
    folder(&home, 0o755)?;
    let om = home.join(product.om());
    put(&home.join(product.keyset()), 0o600, initial.keyset.as_bytes())?;
    put(&home.join(services::PASSWORD_FILE), 0o600, &initial.sealed)?;
    put(&om.join("sbin/services.sh"), 0o700, SERVICES)?;
    let Some(pair) = pair else { return Ok(()) };
    let oms = home.join(product.oms_run_folder());
    put(&oms.join("workspace/ha/module/hacom/script/gen-cert.sh"), 0o700, GEN_CERT)?;
    for (name, text) in
        [("replacehaSSLCert.sh", REPLACE), ("restart-oms.sh", RESTART), ("status-oms.sh", STATUS)]
    {
        put(&om.join("sbin").join(name), 0o700, text)?;
    }
    put(&om.join("tools/updateRootKey.sh"), 0o700, UPDATE_ROOT_KEY)?;
    let local_cert = oms.join("workspace0/ha/local/cert");
    let cert_ha = home.join(product.cert_ha());
    for place in [&local_cert, &cert_ha] {
        folder(place, 0o700)?;
        put(&place.join("root-ca.crt"), 0o600, &initial.root.certificate)?;
        put(&place.join("root-ca.pem"), 0o600, initial.root.key.as_bytes())?;
        put(&place.join("root-ca.srl"), 0o600, "01\n")?;
        put(&place.join("server.crt"), 0o600, &pair.certificate)?;
        // Which of the two names the product reads is not public: they are the same key here.
        put(&place.join("server.pem"), 0o600, pair.key.as_bytes())?;
        put(&place.join("server.key"), 0o600, pair.key.as_bytes())?;
    }
    // Leftovers that a glob `root-ca.*` would take along.
    put(&local_cert.join("root-ca.crt.old"), 0o600, &initial.root.certificate)?;
    put(&local_cert.join("root-ca.pem.old"), 0o600, initial.root.key.as_bytes())?;
    put(&cert_ha.join(ha::PASSWORD_FILE), 0o600, initial.password.as_bytes())
}

/// Writes the state folder that a node shares with the lab.
pub(super) fn state(layout: &Layout, spec: &Spec, node: &NodeSpec, binary: &Utf8Path) -> Result<()> {
    let state = layout.state(&node.name);
    for part in ["", "switches", "bin"] {
        folder(&state.join(part), 0o755)?;
    }
    put(&state.join("common.sh"), 0o644, spec.product.fill(COMMON)?)?;
    put(&state.join("journal"), 0o644, "")?;
    put(&state.join("times"), 0o644, "")?;
    symlink(binary, state.join("windlass")).map_err(LabError::file("link", state.join("windlass")))?;
    services::write_config(layout, spec, node)?;
    if !node.manager {
        return Ok(());
    }
    let Some(peer) = spec.managers().find(|other| other.name != node.name) else {
        return Err(LabError::failed("plan the pair", "it has only one node"));
    };
    let first = spec.managers().next().is_some_and(|first| first.name == node.name);
    let (root, watch) = match spec.transport {
        super::Transport::Ssh => (Utf8PathBuf::from("/"), None),
        // In namespaces a lab's end is the end of all its processes; elsewhere the service looks for itself.
        super::Transport::Local => (layout.local_root(&node.name), Some(layout.pid())),
    };
    let certificates = inside(&root, spec.product.bigdata_home()).join(spec.product.cert_ha());
    let config = ha::Config::new(node, peer, spec.product, certificates, watch);
    config.write(&state)?;
    put(&state.join(ha::STOPPED_STATUS_FILE), 0o644, ha::stopped_table(&config))?;
    put(&state.join(ha::ROLE_FILE), 0o644, if first { "active\n" } else { "standby\n" })
}

/// Writes a node of the local transport: its root folder, with the login environment beside it.
pub(super) fn local(
    layout: &Layout,
    product: Product,
    node: &NodeSpec,
    initial: &Initial,
    pair: Option<&Pair>,
) -> Result<()> {
    let root = layout.local_root(&node.name);
    install(&root, product, initial, pair)?;
    let home = inside(&root, "/home/omm");
    folder(&home, 0o700)?;
    let bigdata_home = inside(&root, product.bigdata_home());
    let link = bigdata_home.join(LAB_STATE);
    symlink(layout.state(&node.name), &link).map_err(LabError::file("link", &link))?;
    let mut text = format!("HOME={home}\nUSER=omm\nLOGNAME=omm\n");
    for (name, value) in login_environment(product, &bigdata_home) {
        text.push_str(&format!("{name}={value}\n"));
    }
    text.push_str(&format!("PATH={link}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\n"));
    put(&root.join("login-env"), 0o644, text)
}

/// Returns an absolute path of a node as it lies below the node's root.
pub(super) fn inside(root: &Utf8Path, path: &str) -> Utf8PathBuf {
    root.join(path.trim_start_matches('/'))
}
