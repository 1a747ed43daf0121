//! The site that a practice cluster writes: complete, commented, and ready for `windlass -C DIR run ha-cert`.

use super::layout::{Spec, Transport};
use super::product::Product;
use std::fmt::Write as _;

/// The first line of every site this room wrote; a site without it is somebody's own.
pub(super) const MARK: &str = "# A practice cluster, written by `windlass lab up`.";

/// The site's own profile.
const PROFILE: &str = "practice";

pub(super) fn site(spec: &Spec) -> String {
    let mut text = format!(
        "{MARK}\n\
         # Try `windlass -C . plan ha-cert`, `windlass -C . run ha-cert`, `windlass lab break . SWITCH`.\n\
         \n\
         [site]\n\
         name = \"practice\"\n\
         profile = \"{PROFILE}\"                   # {}, and what only this manager offers\n\
         trust = \"dev\"                          # a real site says \"locked\" or more\n\
         \n",
        spec.product.as_str()
    );
    // Writing to a String cannot fail, here and below.
    match spec.transport {
        Transport::Ssh => text.push_str(
            "[lab]\n\
             pid = \"lab/pid\"                        # whose network namespace windlass enters by itself\n\
             \n\
             [ssh]\n\
             config = \"lab/ssh_config\"              # the lab's key, known hosts and key exchange\n\
             \n\
             [become.omm]\n\
             argv = [\"sudo\", \"-n\", \"su\", \"-\", \"omm\"]\n\
             \n",
        ),
        Transport::Local => text.push_str(
            "# Nodes are folders of this machine: there is no login, no sudo, and no network between them.\n\
             \n",
        ),
    }
    for node in &spec.nodes {
        let address = match spec.transport {
            Transport::Ssh => format!("ssh = \"admin@{}\"", node.address),
            Transport::Local => format!("local = \"nodes/{}\"", node.name),
        };
        let group = if node.manager { "managers" } else { "members" };
        let _ = write!(
            text,
            "[nodes.{}]\n{address}\nhost = \"{}\"\ngroups = [\"{group}\"]\n\n",
            node.name, node.address
        );
    }
    let _ = write!(
        text,
        "[manager]\n\
         url = \"https://{}/web\"\n\
         ca = \"manager-ca.pem\"\n\
         expect = [200, 302]\n\
         \n\
         # The password of the new keys, so that practice needs no typing. A real site says \"prompt\".\n\
         [secrets.ha-key]\n\
         source = \"file:ha-key.secret\"\n\
         \n\
         [procedures.ha-cert]\n\
         strategy = \"sequential\"\n\
         ca = \"host\"                            # {}\n\
         on_failure = \"pause\"                   # or \"rollback\"\n\
         [procedures.ha-cert.params]\n\
         country = \"DE\"\n\
         state = \"eur\"\n\
         city = \"ber\"\n\
         company = \"dt\"\n\
         organize = \"IT\"\n\
         common_name = \"HADOOP.COM\"\n\
         email = \"abc@dt.com\"\n\
         \n\
         [procedures.retire-key]\n\
         approvals = 0                          # a real site leaves it at the two that retire-key asks for\n",
        spec.manager,
        match spec.product {
            Product::Mrs2 => "\"product\" also needs allow_secret_in_argv = true",
            Product::Mrs3 => "or \"product\": its script asks for the password",
        }
    );
    text
}

/// The profile of the site: that of its product, with the clicks on the manager's page done over HTTPS.
pub(super) fn profile(spec: &Spec) -> String {
    let mut text = format!(
        "{MARK}\n\
         # What only a practice cluster has: its manager stops and starts the cluster over HTTPS. All else is the\n\
         # product's. The paths and words are invented; on a real cluster this is done by hand, as the product's\n\
         # profile says, or over what its manager offers.\n\
         \n\
         title = \"a practice cluster of {0}\"\n\
         extends = \"{0}\"\n",
        spec.product.as_str()
    );
    let api = format!("https://{}/web/api", spec.manager);
    for (command, settle) in [("stop-cluster", "services-stopped"), ("start-cluster", "services-started")] {
        let _ = write!(
            text,
            "\n\
             [commands.{command}]\n\
             override = true\n\
             kind = \"http\"\n\
             user = \"omm\"\n\
             success = {{ contains = [\"Operation succeeded\"] }}\n\
             output = \"lines\"\n\
             writes = []\n\
             settle = \"{settle}\"\n\
             everywhere = true\n\
             rerun = \"if-settle-says-no\"\n\
             timeout = \"15m\"\n\
             [commands.{command}.request]\n\
             url = \"{api}/{command}\"\n\
             expect = [200, 202]                    # 202 for the request, 200 for what is asked until it ends\n\
             poll = {{ url = \"{api}/operation\", contains = \"finished\" }}\n"
        );
    }
    for (command, what) in [
        ("isolate-node", "Leaves a node out of what is done to the cluster, as one that is broken."),
        ("join-node", "Takes it in again."),
    ] {
        let _ = write!(
            text,
            "\n\
             # {what}\n\
             [commands.{command}]\n\
             kind = \"http\"\n\
             user = \"omm\"\n\
             output = \"lines\"\n\
             writes = []\n\
             rerun = \"always\"\n\
             request = {{ url = \"{api}/{command}\", body = \"{{node}}\" }}\n\
             [commands.{command}.args]\n\
             node = {{ longest = 100 }}\n"
        );
    }
    text.push_str(
        "\n\
         # Whether the services of a node have nothing that is sealed under a version of the key.\n\
         [commands.key-version-unused]\n\
         kind = \"observe\"\n\
         argv = [\"sh\", \"${om}/sbin/services.sh\", \"unused\", \"{version}\"]\n\
         user = \"omm\"\n\
         output = \"lines\"\n\
         [commands.key-version-unused.args]\n\
         version = { longest = 10, characters = \"\" }\n\
         \n\
         [defaults.root-key]\n\
         override = true\n\
         # The doubles read a Tink key set, whoever made it.\n\
         product_reads_keyset = \"yes\"\n",
    );
    text
}

pub(super) fn grants() -> String {
    format!(
        "{MARK}\n\
         # What each plugin may do. Bundled procedures bring their own grants, so ha-cert needs nothing here.\n\
         # A block narrows it: with this one, only these commands, on these nodes, would be left to it.\n\
         #\n\
         # [grants.ha-cert]\n\
         # commands = [\"ha-status@*\", \"replace-ha-cert@master1\", \"restart-ha@master1\"]\n"
    )
}

/// The ssh_config of the lab; `windlass` includes it, and `ssh -F` understands it.
pub(super) fn ssh_config(spec: &Spec, layout: &super::layout::Layout) -> String {
    // ssh expands % in these paths.
    let quoted = |path: camino::Utf8PathBuf| format!("\"{}\"", path.as_str().replace('%', "%%"));
    let mut text = String::new();
    for node in &spec.nodes {
        let _ = write!(text, "Host {}\n  HostName {}\n  User admin\n\n", node.name, node.address);
    }
    let _ = write!(
        text,
        "Host 10.77.* master* member*\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  \
         GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  BatchMode yes\n  \
         # A sixth of the time that the default key exchange takes.\n  KexAlgorithms curve25519-sha256\n",
        quoted(layout.ssh_key()),
        quoted(layout.known_hosts()),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sites_are_toml_and_name_every_node() {
        for (transport, product) in [(Transport::Ssh, Product::Mrs2), (Transport::Local, Product::Mrs3)] {
            let spec = Spec::new(transport, product, 2, "/x".into(), || Ok(7)).unwrap();
            let site: toml::Table = site(&spec).parse().unwrap();
            let nodes = site["nodes"].as_table().unwrap();
            assert_eq!(
                nodes.keys().map(String::as_str).collect::<Vec<_>>(),
                ["master1", "master2", "member1", "member2"]
            );
            assert_eq!(site["site"]["profile"].as_str(), Some("practice"));
            let profile: toml::Table = profile(&spec).parse().unwrap();
            assert_eq!(profile["extends"].as_str(), Some(product.as_str()));
            let url = profile["commands"]["stop-cluster"]["request"]["url"].as_str().unwrap();
            assert_eq!(url, format!("https://{}/web/api/stop-cluster", spec.manager));
            assert_eq!(site.contains_key("lab"), transport == Transport::Ssh);
            assert_eq!(site.contains_key("become"), transport == Transport::Ssh);
            grants().parse::<toml::Table>().unwrap();
        }
    }
}
