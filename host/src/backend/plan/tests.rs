//! The overlay over two nodes that are folders: what later looks see, and that no folder ever changes.

use super::*;
use crate::backend::NothingStanding;
use crate::model::{
    Argument, Certificate, CertificateSource, Content, EndpointName, Entry, FileStat, Outcome, Value,
};
use crate::policy::{Gate, Rules};
use crate::site::GrantBlock;
use camino::{Utf8Path, Utf8PathBuf};
use std::collections::BTreeMap;

const PROFILE: &str = r#"
title = "Two folders"
service_user = "svc"
managers = "managers"
[vars]
home = { login_env = "HOME", user = "svc" }
[paths]
tls = "${home}/tls"
other = "${home}/other"
[files.root]
path = "${tls}/root.crt"
[files.leaf]
path = "${tls}/leaf.crt"
[files.key]
path = "${tls}/leaf.key"
secret = true
mode = "0600"
[files.apart]
path = "${other}/apart"
[endpoints.tls]
port = 1
file = "leaf"
[commands.renew]
kind = "change"
argv = ["false"]
success = { contains = ["renewed"], exit = 3 }
output = "lines"
writes = ["leaf", "dir:tls"]
settle = "is-renewed"
[commands.renew.args.password]
secret = true
[commands.wipe]
kind = "change"
argv = ["false"]
writes = ["dir:tls"]
[commands.reload]
kind = "change"
argv = ["false"]
serves = ["tls"]
[commands.by-hand]
kind = "manual"
instruction = "turn the key"
settle = "is-renewed"
[commands.is-renewed]
kind = "observe"
argv = ["false"]
"#;

struct Place {
    planning: Arc<Planning>,
    home: Utf8PathBuf,
    gate: Gate,
    plugin: PluginName,
    sequence: Mutex<i64>,
    _folder: tempfile::TempDir,
}

fn name<T: TryFrom<String>>(text: &str) -> T {
    T::try_from(text.to_owned()).unwrap_or_else(|_| panic!("{text} is no name"))
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(folder.path()).unwrap().to_owned();
    let mut site = "[site]\nname = \"s\"\nprofile = \"p\"\n".to_owned();
    for node in ["a", "b"] {
        let home = dir.join(node);
        for sub in ["tls", "other"] {
            std::fs::create_dir_all(home.join(sub)).unwrap();
        }
        std::fs::write(home.join("login-env"), format!("HOME={home}\nPATH=/usr/bin:/bin\n")).unwrap();
        for file in ["tls/root.crt", "tls/leaf.crt", "tls/leaf.key", "other/apart"] {
            std::fs::write(home.join(file), format!("{file} of {node}")).unwrap();
        }
        site += &format!("[nodes.{node}]\nlocal = \"{node}\"\ngroups = [\"managers\"]\n");
    }
    std::fs::create_dir(dir.join("profiles")).unwrap();
    std::fs::write(dir.join("profiles/p.toml"), PROFILE).unwrap();
    std::fs::write(dir.join("site.toml"), site).unwrap();
    let site = Arc::new(Site::load(&dir).unwrap_or_else(|errors| panic!("{errors}")));
    let transports = Transports::new(&site, &dir).unwrap();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut files = Vec::new();
    for file in ["root", "leaf", "key", "apart"] {
        files.extend(["stat", "read", "copy", "write"].map(|verb| format!("{verb} {file}@*")));
    }
    let block = GrantBlock {
        commands: words(&["renew", "wipe", "reload", "by-hand", "is-renewed"]),
        files,
        endpoints: words(&["tls"]),
        crypto: words(&crate::site::CRYPTO),
        keyring: words(&crate::site::KEYRING),
        secrets: words(&["pw -> renew.password", "pw -> file:key", "pw -> file:apart", "pw -> check-key"]),
        general: words(&crate::site::GENERAL),
        digest: None,
    };
    let rules = Rules::parse(&block).unwrap();
    let plugin: PluginName = name("play");
    Place {
        planning: Planning::new(
            site,
            ProcedureSettings::default(),
            IndexMap::new(),
            transports,
            Arc::new(NothingStanding),
        ),
        home: dir,
        gate: Gate::new(plugin.clone(), rules.clone(), rules, false),
        plugin,
        sequence: Mutex::new(0),
        _folder: folder,
    }
}

impl Place {
    async fn try_it(&self, effect: Effect) -> Result<Answer, Fault> {
        let permit = self.gate.check(effect, &*self.planning).unwrap_or_else(|denial| panic!("{denial:?}"));
        let sequence = {
            let mut sequence = self.sequence.lock().unwrap();
            *sequence += 1;
            *sequence
        };
        self.planning.act(&self.plugin, permit, sequence, Default::default()).await.unwrap().answer
    }

    async fn act(&self, effect: Effect) -> Answer {
        self.try_it(effect).await.unwrap_or_else(|fault| panic!("{fault}"))
    }

    async fn run(&self, command: &str, node: &str) -> Outcome {
        let arguments = match command {
            "renew" => vec![Argument { name: "password".into(), value: Value::Secret(name("pw")) }],
            _ => Vec::new(),
        };
        let effect = Effect::NodesRun { node: name(node), command: name(command), arguments };
        match self.act(effect).await {
            Answer::Outcome(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    async fn fingerprint(&self, file: &str, node: &str) -> String {
        match self.act(Effect::FilesFingerprint { node: name(node), file: name(file) }).await {
            Answer::Text(Some(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    async fn read(&self, file: &str, node: &str) -> Vec<u8> {
        match self.act(Effect::FilesRead { node: name(node), file: name(file) }).await {
            Answer::Bytes(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    async fn stat(&self, file: &str, node: &str) -> Option<FileStat> {
        match self.act(Effect::FilesStat { node: name(node), file: name(file) }).await {
            Answer::Stat(stat) => stat,
            other => panic!("{other:?}"),
        }
    }

    async fn certificate(&self, effect: Effect) -> Certificate {
        match self.act(effect).await {
            Answer::Certificate(certificate) => *certificate,
            other => panic!("{other:?}"),
        }
    }

    async fn ask(&self) {
        self.act(Effect::SecretsAsk { name: name("pw"), prompt: String::new(), confirm: true }).await;
    }

    /// A root of Windlass' own, under this name, with its key.
    async fn root(&self, root: &str) -> Certificate {
        let key: ObjectName = name(&format!("{root}-key"));
        self.act(Effect::CryptoGenerateKey { name: key.clone(), algorithm: "rsa-3072".into() }).await;
        let subject = vec![Entry { name: "common-name".into(), value: root.into() }];
        self.certificate(Effect::CryptoSelfSign { name: name(root), key, subject, days: 10 }).await
    }

    /// Every file, by path: what a plan must leave as it is.
    fn disk(&self) -> BTreeMap<Utf8PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        let mut folders = vec![self.home.clone()];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir_utf8().unwrap().flatten() {
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.into_path()),
                    false => drop(all.insert(entry.path().to_owned(), std::fs::read(entry.path()).unwrap())),
                }
            }
        }
        all
    }
}

fn put(file: &str, node: &str, content: Content) -> Effect {
    Effect::FilesPut { node: name(node), file: name(file), content }
}

fn object(of: &str) -> CertificateSource {
    CertificateSource::Object(name(of))
}

#[tokio::test]
async fn a_command_is_what_its_declaration_says_and_nothing_runs() {
    let place = place();
    let disk = place.disk();
    place.ask().await;
    let (leaf, root) = (place.fingerprint("leaf", "a").await, place.fingerprint("root", "a").await);
    assert!(!place.run("is-renewed", "a").await.succeeded, "what only looks is asked for real");

    // The command itself would fail: `false` is its program.
    let outcome = place.run("renew", "a").await;
    assert!(outcome.succeeded && outcome.exit == 3, "{outcome:?}");
    assert_eq!(outcome.output, ["renewed"]);
    let renewed = place.fingerprint("leaf", "a").await;
    assert_ne!(renewed, leaf);
    assert_eq!(renewed, place.fingerprint("leaf", "a").await, "the same each time it is asked");
    assert_eq!(place.fingerprint("root", "a").await, root, "the folder is what else may change");
    assert_eq!(place.fingerprint("leaf", "b").await, leaf_of(&place, "b"), "another node is as it was");
    assert!(place.run("is-renewed", "a").await.succeeded, "what settles it says that it happened");
    assert!(!place.run("is-renewed", "b").await.succeeded);

    place.run("renew", "a").await;
    assert_ne!(place.fingerprint("leaf", "a").await, renewed, "a second time makes another");
    assert!(place.run("by-hand", "a").await.succeeded);
    assert_eq!(place.disk(), disk);
}

fn leaf_of(place: &Place, node: &str) -> String {
    let bytes = std::fs::read(place.home.join(node).join("tls/leaf.crt")).unwrap();
    crate::capability::crypto::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes).as_ref())
}

#[tokio::test]
async fn a_folder_whose_files_a_command_does_not_name_is_changed_with_all_of_them() {
    let place = place();
    let before = [place.fingerprint("root", "a").await, place.fingerprint("apart", "a").await];
    let key = place.stat("key", "a").await.unwrap();
    place.run("wipe", "a").await;
    assert_ne!(place.fingerprint("root", "a").await, before[0]);
    assert_eq!(place.fingerprint("apart", "a").await, before[1], "outside the folder");
    let after = place.stat("key", "a").await.unwrap();
    assert_eq!((after.mode, after.owner), (key.mode, key.owner), "modes and owners stay");
    let restore = Effect::FilesRestore { node: name("a"), name: "wipe".into() };
    place.act(restore).await;
    assert_eq!(place.fingerprint("root", "a").await, before[0], "put back is as it was");
}

#[tokio::test]
async fn what_is_staged_is_seen_after_the_swap_and_not_before() {
    let place = place();
    let disk = place.disk();
    let stage = |file: &str, content| Effect::FilesStage {
        set: name("set"),
        node: name("a"),
        file: name(file),
        content,
    };
    let swap = || Effect::FilesSwap { set: name("set"), node: name("a") };
    let unstaged = place.try_it(swap()).await.unwrap_err();
    assert_eq!(unstaged.code, "unknown");

    place.act(stage("root", Content::Bytes(b"new root".to_vec()))).await;
    place.act(stage("apart", Content::File { node: name("b"), file: name("apart") })).await;
    assert_eq!(place.read("root", "a").await, b"tls/root.crt of a");
    place.act(swap()).await;
    assert_eq!(place.read("root", "a").await, b"new root");
    assert_eq!(place.read("apart", "a").await, b"other/apart of b", "copied from what is there");
    assert_eq!(place.stat("root", "a").await.unwrap().size, 8);

    place.act(stage("root", Content::Bytes(b"newer".to_vec()))).await;
    place.act(Effect::FilesDiscard { set: name("set"), node: name("a") }).await;
    assert_eq!(place.try_it(swap()).await.unwrap_err().code, "unknown");

    place.act(Effect::FilesRemove { node: name("a"), file: name("root") }).await;
    assert_eq!(place.stat("root", "a").await, None);
    place.act(Effect::FilesRestore { node: name("a"), name: "root".into() }).await;
    assert_eq!(place.read("root", "a").await, b"tls/root.crt of a");
    assert_eq!(place.disk(), disk);
}

#[tokio::test]
async fn a_certificate_that_is_born_chains_to_what_will_issue_it_and_to_nothing_else() {
    let place = place();
    let root = place.root("root-1").await;
    let other = place.root("root-2").await;
    assert_ne!(root.fingerprint, other.fingerprint);
    assert_ne!(root.not_after, other.not_after, "no two stand-ins are alike");
    let issue = |days| Effect::CryptoIssue {
        name: name("leaf-1"),
        ca: name("root-1"),
        ca_key: name("root-1-key"),
        key: name("root-2-key"),
        subject: vec![Entry { name: "common-name".into(), value: "a".into() }],
        names: vec!["a".into()],
        days,
    };
    let outlives = place.try_it(issue(11)).await.unwrap_err();
    assert!(outlives.message.contains("outlive"), "{outlives}");
    let leaf = place.certificate(issue(5)).await;
    assert_eq!((leaf.issuer, leaf.authority_key_id), (root.subject, root.subject_key_id.clone()));

    let verify = |leaf, root| Effect::CryptoVerifyChain { leaf, root };
    place.act(verify(object("leaf-1"), object("root-1"))).await;
    place.act(verify(object("root-1"), object("root-1"))).await;
    assert_eq!(place.try_it(verify(object("leaf-1"), object("root-2"))).await.unwrap_err().code, "failed");

    // Written to a file and read back, it is the same certificate still.
    place.act(put("root", "a", Content::Certificate(name("root-1")))).await;
    place.act(put("root", "b", Content::File { node: name("a"), file: name("root") })).await;
    let bytes = CertificateSource::Bytes(place.read("root", "b").await);
    let read = place.certificate(Effect::CryptoInspect { source: bytes.clone() }).await;
    assert_eq!(read.fingerprint, root.fingerprint);
    place.act(verify(object("leaf-1"), bytes.clone())).await;

    // One that a command makes is taken to be as it should, and the plan says so.
    place.ask().await;
    place.run("renew", "a").await;
    let renewed = CertificateSource::Bytes(place.read("leaf", "a").await);
    assert!(place.planning.assumed().is_empty());
    place.act(verify(renewed, bytes)).await;
    assert_eq!(place.planning.assumed(), ["leaf@a will chain to root-1"]);
}

#[tokio::test]
async fn what_is_accepted_for_a_key_of_the_run_is_what_a_command_makes_of_its_request() {
    let place = place();
    let root = place.root("root-1").await;
    let key: ObjectName = name("mine");
    place.act(Effect::CryptoGenerateKey { name: key.clone(), algorithm: "ecdsa-p256".into() }).await;
    let subject = |name: &str| vec![Entry { name: name.into(), value: "a".into() }];
    let request =
        |of: &str| Effect::CryptoRequest { key: key.clone(), subject: subject(of), names: Vec::new() };
    assert_eq!(place.try_it(request("nonsense")).await.unwrap_err().code, "invalid");
    let Answer::Bytes(asked) = place.act(request("common-name")).await else { panic!() };
    assert!(asked.starts_with(b"-----BEGIN CERTIFICATE REQUEST-----"), "{asked:?}");
    let accept = |name_: &str, certificate: Vec<u8>| Effect::CryptoAccept {
        name: name(name_),
        key: key.clone(),
        certificate,
    };
    assert_eq!(
        place.try_it(accept("none", asked.clone())).await.unwrap_err().code,
        "invalid",
        "no certificate"
    );
    place.act(put("apart", "a", Content::Bytes(asked.clone()))).await;
    assert_eq!(place.read("apart", "a").await, asked);

    place.ask().await;
    place.run("renew", "a").await;
    let issued = place.read("leaf", "a").await;
    let says = place.certificate(accept("leaf-1", issued.clone())).await;
    assert_eq!((says.key_algorithm.as_str(), says.can_issue), ("ecdsa-p256", false));
    assert_eq!(place.planning.assumed(), ["leaf@a will be a certificate of mine"]);
    place.act(Effect::CryptoVerifyChain { leaf: object("leaf-1"), root: object("root-1") }).await;
    place.act(put("leaf", "b", Content::Certificate(name("leaf-1")))).await;
    assert_eq!(place.read("leaf", "b").await, issued);

    // What is there before the run is of no key that is born in it, and of no CA where it is none.
    let (ca, ca_key) = crate::capability::crypto::testing::root("there");
    let there = crate::capability::crypto::to_pem(&ca).into_bytes();
    let (leaf, _) = crate::capability::crypto::testing::leaf(&(ca, ca_key), "b");
    let early = place.try_it(accept("early", there.clone())).await.unwrap_err();
    assert!(early.code == "refused" && early.message.contains("CN=there"), "{early}");
    let accept_ca = |name_: &str, certificate: &[u8]| Effect::CryptoAcceptCa {
        name: name(name_),
        certificate: certificate.to_vec(),
    };
    place.act(accept_ca("corporate", &there)).await;
    let no_ca = place.try_it(accept_ca("no-ca", &leaf)).await.unwrap_err();
    assert!(no_ca.code == "refused" && no_ca.message.contains("is not a CA"), "{no_ca}");
    assert_eq!(place.try_it(accept_ca("corporate", &there)).await.unwrap_err().code, "invalid", "taken");
    assert_ne!(root.fingerprint, says.fingerprint);
}

#[tokio::test]
async fn an_endpoint_presents_the_file_as_it_is_when_the_command_that_serves_it_runs() {
    let place = place();
    let root = place.root("root-1").await;
    place.act(put("leaf", "a", Content::Certificate(name("root-1")))).await;
    place.run("reload", "a").await;
    place.ask().await;
    place.run("renew", "a").await;
    let served = || Effect::ClusterServed { node: name("a"), endpoint: name::<EndpointName>("tls") };
    assert_eq!(place.certificate(served()).await.fingerprint, root.fingerprint, "not renewed yet");
    place.run("reload", "a").await;
    assert_ne!(place.certificate(served()).await.fingerprint, root.fingerprint);
}

#[tokio::test]
async fn a_secret_stays_a_name_and_keeps_its_label() {
    let place = place();
    let missing = place.try_it(put("key", "a", Content::Secret(name("pw")))).await.unwrap_err();
    assert_eq!(missing.code, "unknown", "nobody has asked for it");
    place.ask().await;
    place.act(put("key", "a", Content::Secret(name("pw")))).await;
    let labelled = place.try_it(put("apart", "a", Content::Secret(name("pw")))).await.unwrap_err();
    assert_eq!(labelled.code, "refused");
    let copied = Content::File { node: name("a"), file: name("key") };
    assert_eq!(place.try_it(put("apart", "a", copied)).await.unwrap_err().code, "refused");
    let read = Effect::FilesRead { node: name("a"), file: name("key") };
    assert_eq!(place.try_it(read).await.unwrap_err().code, "refused");

    place.run("renew", "a").await;
    let sequence = *place.sequence.lock().unwrap();
    let planned = place.planning.planned(sequence, &Effect::ClockNow, &[]).unwrap();
    assert_eq!(planned.words, "run renew password=<secret pw> on a");
    let command = &planned.detail.commands[0];
    assert_eq!((command.user.as_str(), &command.argv[..]), ("svc", &["false".to_owned()][..]));
    assert_eq!(planned.born, ["leaf@a"]);
}

#[tokio::test]
async fn what_takes_a_secret_or_a_person_is_taken_for_granted_and_said() {
    let place = place();
    place.ask().await;
    place.root("root-1").await;
    let check = |file: &str| Effect::CryptoCheckKey {
        node: name("a"),
        file: name(file),
        passphrase: name("pw"),
        certificate: object("root-1"),
    };
    assert_eq!(place.act(check("key")).await, Answer::Text(Some("fits".into())));
    place.act(Effect::FilesRemove { node: name("a"), file: name("key") }).await;
    assert_eq!(place.try_it(check("key")).await.unwrap_err().code, "unknown");
    let acknowledge =
        Effect::OperatorAcknowledge { question: "Go on?".into(), impact: "the link is down".into() };
    assert_eq!(place.act(acknowledge).await, Answer::Yes(true));
    let token =
        crate::capability::operator::acknowledgement_token("s", &place.plugin, "Go on?", "the link is down");
    let assumed = place.planning.assumed();
    assert_eq!(assumed.len(), 2, "{assumed:?}");
    assert!(assumed[0].contains("pw opens key on a"), "{assumed:?}");
    assert!(assumed[1].contains(&format!("--ack {token}): the link is down")), "{assumed:?}");
}
