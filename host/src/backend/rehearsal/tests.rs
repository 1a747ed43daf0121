//! What a simulated cluster is and does, by what a profile declares.

use super::*;
use crate::model::{Argument, CertificateSource, Content, EndpointName, Entry, Outcome, Value};
use crate::policy::{Gate, Rules};
use crate::site::GrantBlock;
use camino::Utf8Path;
use std::sync::Mutex;

const PROFILE: &str = r#"
title = "play"
service_user = "svc"
managers = "managers"
health = "status"
keyring = "keys"
[vars]
home = { login_env = "HOME" }
[paths]
tls = "${home}/tls"
[files.root]
path = "${tls}/root.crt"
holds = "certificate"
[files.leaf]
path = "${tls}/leaf.crt"
holds = "certificate"
issuer = "root"
[files.key]
path = "${tls}/leaf.key"
secret = true
holds = "key"
of = "leaf"
[files.keys]
path = "${home}/keys.json"
secret = true
holds = "key-set"
[files.apart]
path = "${home}/apart"
[files.asked]
path = "${home}/asked.csr"
[files.answered]
path = "${home}/answered.crt"
holds = "certificate"
issuer = "root"
request = "asked"
[endpoints.tls]
port = 443
file = "leaf"
[endpoints.bare]
port = 444
[commands.status]
kind = "observe"
argv = ["status"]
output = "oms-status"
[commands.renew]
kind = "change"
argv = ["renew"]
prompts = [{ expect = "Password:", reply = "{password}" }]
success = { contains = ["renewed"], exit = 3 }
output = "lines"
writes = ["leaf", "key", "dir:tls"]
settle = "is-renewed"
[commands.renew.args.password]
secret = true
[commands.is-renewed]
kind = "observe"
argv = ["is-renewed"]
[commands.sign]
kind = "change"
argv = ["sign"]
writes = ["answered"]
rerun = "always"
[commands.wipe]
kind = "change"
argv = ["wipe"]
writes = ["dir:tls"]
rerun = "always"
[commands.rekey]
kind = "change"
argv = ["rekey"]
writes = ["keys"]
everywhere = true
rerun = "always"
[commands.reload]
kind = "change"
argv = ["reload"]
serves = ["tls"]
settle = "served:tls"
may_switch_roles = true
[commands.down]
kind = "manual"
instruction = "Stop it."
settle = "is-down"
undo = "up"
everywhere = true
[commands.up]
kind = "manual"
instruction = "Start it."
settle = "is-up"
everywhere = true
[commands.is-down]
kind = "observe"
argv = ["is-down"]
success = { exit = 1 }
[commands.is-up]
kind = "observe"
argv = ["is-up"]
"#;

struct Place {
    rehearsal: Arc<Rehearsal>,
    gate: Gate,
    plugin: PluginName,
    sequence: Mutex<i64>,
}

fn name<T: std::str::FromStr<Err = crate::model::NameError>>(text: &str) -> T {
    text.parse().unwrap()
}

fn scenario(text: &str) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(folder.path()).unwrap();
    std::fs::create_dir(dir.join("profiles")).unwrap();
    std::fs::write(dir.join("profiles/p.toml"), PROFILE).unwrap();
    let file = dir.join("s.toml");
    std::fs::write(&file, format!("profile = \"p\"\n{text}")).unwrap();
    Scenario::load(dir, &file).unwrap_or_else(|errors| panic!("{errors}"))
}

fn place(text: &str) -> Place {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut files = Vec::new();
    for file in ["root", "leaf", "key", "keys", "apart", "asked", "answered"] {
        files.extend(["stat", "read", "copy", "write"].map(|verb| format!("{verb} {file}@*")));
    }
    let block = GrantBlock {
        commands: words(&[
            "renew",
            "sign",
            "wipe",
            "rekey",
            "reload",
            "down",
            "up",
            "is-renewed",
            "is-down",
            "is-up",
            "status",
        ]),
        files,
        endpoints: words(&["tls", "bare"]),
        crypto: words(&crate::site::CRYPTO),
        keyring: words(&crate::site::KEYRING),
        secrets: words(&["pw -> renew.password", "pw -> file:key", "pw -> check-key", "pw -> supplied-ca"]),
        general: words(&crate::site::GENERAL),
        digest: None,
    };
    let rules = Rules::parse(&block).unwrap();
    let plugin: PluginName = name("play");
    let scenario = scenario(text);
    Place {
        rehearsal: Rehearsal::new(&scenario, IndexMap::new(), PasswordPolicy::mrs_2()).unwrap(),
        gate: Gate::new(plugin.clone(), rules.clone(), rules, false),
        plugin,
        sequence: Mutex::new(0),
    }
}

impl Place {
    async fn try_it(&self, effect: Effect) -> Result<Answer, Fault> {
        let permit = self.gate.check(effect, &*self.rehearsal).unwrap_or_else(|denial| panic!("{denial:?}"));
        let sequence = {
            let mut sequence = self.sequence.lock().unwrap();
            *sequence += 1;
            *sequence
        };
        self.rehearsal.act(&self.plugin, permit, sequence, Default::default()).await.unwrap().answer
    }

    async fn act(&self, effect: Effect) -> Answer {
        self.try_it(effect).await.unwrap_or_else(|fault| panic!("{fault}"))
    }

    async fn run(&self, command: &str, node: &str) -> Outcome {
        let arguments = match command {
            "renew" => vec![Argument { name: "password".into(), value: Value::Secret(name("pw")) }],
            _ => Vec::new(),
        };
        match self.act(Effect::NodesRun { node: name(node), command: name(command), arguments }).await {
            Answer::Outcome(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    async fn fingerprint(&self, file: &str, node: &str) -> Option<String> {
        match self.act(Effect::FilesFingerprint { node: name(node), file: name(file) }).await {
            Answer::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    async fn read(&self, file: &str, node: &str) -> CertificateSource {
        match self.act(Effect::FilesRead { node: name(node), file: name(file) }).await {
            Answer::Bytes(bytes) => CertificateSource::Bytes(bytes),
            other => panic!("{other:?}"),
        }
    }

    async fn served(&self, node: &str, endpoint: &str) -> String {
        let endpoint = name::<EndpointName>(endpoint);
        match self.act(Effect::ClusterServed { node: name(node), endpoint }).await {
            Answer::Certificate(says) => says.fingerprint,
            other => panic!("{other:?}"),
        }
    }

    async fn fits(&self, node: &str) -> Answer {
        let certificate = self.read("leaf", node).await;
        let (node, file) = (name(node), name("key"));
        self.act(Effect::CryptoCheckKey { node, file, passphrase: name("pw"), certificate }).await
    }

    async fn ask(&self) {
        self.act(Effect::SecretsAsk { name: name("pw"), prompt: String::new(), confirm: true }).await;
    }
}

fn verify(leaf: CertificateSource, root: CertificateSource) -> Effect {
    Effect::CryptoVerifyChain { leaf, root }
}

#[tokio::test]
async fn files_hold_at_first_what_the_profile_says_they_are() {
    let place = place("");
    place.ask().await;
    assert_eq!(place.fingerprint("root", "master1").await, place.fingerprint("root", "master2").await);
    assert_ne!(place.fingerprint("leaf", "master1").await, place.fingerprint("leaf", "master2").await);
    for node in ["master1", "master2"] {
        let (leaf, root) = (place.read("leaf", node).await, place.read("root", node).await);
        place.act(verify(leaf.clone(), root)).await;
        assert_eq!(place.fits(node).await, Answer::Text(Some("fits".into())));
        let Answer::Certificate(says) = place.act(Effect::CryptoInspect { source: leaf }).await else {
            panic!()
        };
        assert_eq!(says.fingerprint, place.served(node, "tls").await);
    }
    let secret = Effect::FilesRead { node: name("master1"), file: name("key") };
    assert_eq!(place.try_it(secret).await.unwrap_err().code, "refused");
    let keys = |node: &str| Effect::KeyringVersions { node: name(node), file: name("keys") };
    assert_eq!(place.act(keys("master1")).await, place.act(keys("master2")).await);
}

#[tokio::test]
async fn a_command_does_what_it_is_declared_to_do() {
    let place = place("");
    place.ask().await;
    let (leaf, apart) =
        (place.fingerprint("leaf", "master1").await, place.fingerprint("apart", "master1").await);
    let served = place.served("master1", "tls").await;
    assert!(!place.run("is-renewed", "master1").await.succeeded, "it has not happened");

    let outcome = place.run("renew", "master1").await;
    assert!(outcome.succeeded && outcome.exit == 3, "{outcome:?}");
    assert_eq!(outcome.output, ["renewed"]);
    assert_ne!(place.fingerprint("leaf", "master1").await, leaf);
    assert_eq!(place.fingerprint("apart", "master1").await, apart, "it has no business there");
    place.act(verify(place.read("leaf", "master1").await, place.read("root", "master1").await)).await;
    assert_eq!(place.fits("master1").await, Answer::Text(Some("fits".into())));
    assert!(place.run("is-renewed", "master1").await.succeeded);
    assert!(!place.run("is-renewed", "master2").await.succeeded, "another node");

    assert_eq!(place.served("master1", "tls").await, served, "what is presented is what was loaded");
    place.run("reload", "master1").await;
    assert_ne!(place.served("master1", "tls").await, served);

    let restore = Effect::FilesRestore { node: name("master1"), name: "renew".into() };
    place.act(restore).await;
    assert_eq!(place.fingerprint("leaf", "master1").await, leaf, "as it was before the run changed it");
}

#[tokio::test]
async fn a_folder_without_names_is_all_files_of_it() {
    let place = place("");
    let before = place.fingerprint("root", "master1").await;
    place.run("wipe", "master1").await;
    assert_ne!(place.fingerprint("root", "master1").await, before);
    // Leaf and root are made in one go, and fit.
    place.act(verify(place.read("leaf", "master1").await, place.read("root", "master1").await)).await;
}

#[tokio::test]
async fn what_is_done_everywhere_is_and_what_is_undone_has_not_happened() {
    let place = place("happened = [\"up\"]\n");
    let versions = |node: &str| Effect::KeyringVersions { node: name(node), file: name("keys") };
    let before = place.act(versions("master2")).await;
    place.run("rekey", "master1").await;
    let Answer::KeySet(Some(set)) = place.act(versions("master2")).await else { panic!() };
    assert_eq!(set.versions.len(), 2);
    assert_ne!(Answer::KeySet(Some(set.clone())), before);
    assert_eq!(place.act(versions("master1")).await, Answer::KeySet(Some(set)));

    assert!(place.run("is-up", "master2").await.succeeded);
    assert!(!place.run("is-down", "master2").await.succeeded);
    assert!(place.run("down", "master1").await.succeeded);
    assert!(!place.run("is-up", "master2").await.succeeded);
    let down = place.run("is-down", "master2").await;
    assert!(down.succeeded && down.exit == 1);
    place.run("up", "master1").await;
    assert!(
        place.run("is-up", "master2").await.succeeded && !place.run("is-down", "master1").await.succeeded
    );
}

#[tokio::test]
async fn staged_files_are_swapped_put_back_and_removed() {
    let place = place("[files.apart]\ntext = \"first\"\n");
    let stage = |content| Effect::FilesStage {
        set: name("set"),
        node: name("master1"),
        file: name("apart"),
        content,
    };
    let swap = || Effect::FilesSwap { set: name("set"), node: name("master1") };
    assert_eq!(place.try_it(swap()).await.unwrap_err().code, "unknown");
    place.act(stage(Content::Bytes(b"second".to_vec()))).await;
    assert_eq!(place.read("apart", "master1").await, CertificateSource::Bytes(b"first".to_vec()));
    place.act(swap()).await;
    assert_eq!(place.read("apart", "master1").await, CertificateSource::Bytes(b"second".to_vec()));
    place.act(Effect::FilesRemove { node: name("master1"), file: name("apart") }).await;
    let stat = Effect::FilesStat { node: name("master1"), file: name("apart") };
    assert_eq!(place.act(stat).await, Answer::Stat(None));
    place.act(Effect::FilesRestore { node: name("master1"), name: "apart".into() }).await;
    assert_eq!(place.read("apart", "master1").await, CertificateSource::Bytes(b"first".to_vec()));
    // A secret file's bytes go nowhere else.
    let copied = stage(Content::File { node: name("master2"), file: name("key") });
    assert_eq!(place.try_it(copied).await.unwrap_err().code, "refused");
}

#[tokio::test]
async fn the_clock_goes_on_only_where_something_waits_and_nodes_settle_by_it() {
    let text = "start = \"2026-01-01T00:00:00Z\"\n[nodes.a]\n[nodes.b]\nstate = \"abnormal\"\nsettles = \"10s\"\nclock = 40\n";
    let place = place(text);
    let now = || Effect::ClockNow;
    let begin = place.act(now()).await;
    assert_eq!(begin, Answer::Milliseconds(1_767_225_600_000));
    assert_eq!(place.act(now()).await, begin);
    let offset = Effect::NodesClockOffset { node: name("b") };
    assert_eq!(place.act(offset).await, Answer::Milliseconds(40));
    let states = || async {
        let Answer::Health(rows) = place.act(Effect::ClusterHealth).await else { panic!() };
        rows.iter().filter(|row| row.state != "normal").count()
    };
    assert_eq!(states().await, 2, "each of two managers says it of the other");
    place.act(Effect::ClockSleep { milliseconds: 10_000 }).await;
    assert_eq!(states().await, 0);
    assert_eq!(place.try_it(Effect::ClockSleep { milliseconds: 600_001 }).await.unwrap_err().code, "invalid");
}

#[tokio::test]
async fn the_scenario_answers_where_it_says_so_and_for_as_long() {
    let place = place(
        "manager = 503\nroles_move = true\n[operator]\nacknowledge = \"no\"\nconfirm = \"nobody\"\nby_hand = \"no\"\n\
         [[answers]]\ncommand = \"reload\"\nnode = \"master1\"\nexit = 1\ntimes = 1\n\
         [secrets]\npw = \"short\"\n",
    );
    place.ask().await;
    let Answer::Words(broken) = place.act(Effect::SecretsCheck { name: name("pw") }).await else { panic!() };
    assert!(!broken.is_empty());
    assert_eq!(place.try_it(Effect::ClusterManager).await.unwrap_err().code, "failed");
    let ask = |question: &str| Effect::OperatorConfirm { question: question.into(), impact: String::new() };
    assert_eq!(place.try_it(ask("Go on?")).await.unwrap_err().code, "unknown");
    let acknowledge = Effect::OperatorAcknowledge { question: "?".into(), impact: "!".into() };
    assert_eq!(place.act(acknowledge).await, Answer::Yes(false));
    let by_hand = Effect::NodesRun { node: name("master1"), command: name("down"), arguments: Vec::new() };
    assert_eq!(place.try_it(by_hand).await.unwrap_err().code, "declined");

    let active = |rehearsal: &Rehearsal| {
        let rows = rehearsal.health();
        rows.into_iter().find(|row| row.role == "active").map(|row| row.node)
    };
    let outcome = place.run("reload", "master1").await;
    assert!(!outcome.succeeded && outcome.reason.contains("status 1"), "{outcome:?}");
    assert_eq!(active(&place.rehearsal).as_deref(), Some("master1"), "what fails has no consequences");
    assert!(place.run("reload", "master1").await.succeeded);
    assert_eq!(active(&place.rehearsal).as_deref(), Some("master2"));
}

#[tokio::test]
async fn a_command_that_issues_on_a_request_issues_to_its_key() {
    let place = place("");
    let nothing = place.run("sign", "master1").await;
    assert!(!nothing.succeeded && nothing.reason.contains("holds no signing request"), "{nothing:?}");
    for key in ["mine", "other"] {
        let key = Effect::CryptoGenerateKey { name: name(key), algorithm: "ecdsa-p256".into() };
        place.act(key).await;
    }
    let subject = vec![Entry { name: "common-name".into(), value: "a".into() }];
    let request = Effect::CryptoRequest { key: name("mine"), subject, names: Vec::new() };
    let Answer::Bytes(request) = place.act(request).await else { panic!() };
    let content = Content::Bytes(request);
    place.act(Effect::FilesPut { node: name("master1"), file: name("asked"), content }).await;
    assert!(place.run("sign", "master1").await.succeeded);

    let CertificateSource::Bytes(certificate) = place.read("answered", "master1").await else { panic!() };
    let accept = |name_: &str, key: &str| Effect::CryptoAccept {
        name: name(name_),
        key: name(key),
        certificate: certificate.clone(),
    };
    let refused = place.try_it(accept("leaf", "other")).await.unwrap_err();
    assert!(refused.code == "refused" && refused.message.contains("is not the key of"), "{refused}");
    place.act(accept("leaf", "mine")).await;
    let CertificateSource::Bytes(root) = place.read("root", "master1").await else { panic!() };
    place.act(Effect::CryptoAcceptCa { name: name("corporate"), certificate: root }).await;
    let object = |of: &str| CertificateSource::Object(name(of));
    place.act(verify(object("leaf"), object("corporate"))).await;
    let no_ca = Effect::CryptoAcceptCa { name: name("no-ca"), certificate };
    assert_eq!(place.try_it(no_ca).await.unwrap_err().code, "refused");
}

/// Whatever an effect says, in the words of a transcript.
async fn told(place: &Place) -> String {
    place.ask().await;
    let mut told = String::new();
    let key = Effect::CryptoGenerateKey { name: name("k"), algorithm: "ecdsa-p256".into() };
    let subject = vec![Entry { name: "common-name".into(), value: "root".into() }];
    let sign = Effect::CryptoSelfSign { name: name("new-root"), key: name("k"), subject, days: 10 };
    let put = Effect::FilesPut {
        node: name("master1"),
        file: name("root"),
        content: Content::Certificate(name("new-root")),
    };
    let look = |file: &str| Effect::FilesFingerprint { node: name("master1"), file: name(file) };
    for effect in [key, sign, put, look("root"), look("leaf"), look("root"), look("key")] {
        told += &format!("{:?}\n", place.act(effect).await);
    }
    place.rehearsal.shown(&told)
}

#[tokio::test]
async fn equal_rehearsals_are_told_in_equal_words() {
    let (one, other) = (place(""), place(""));
    let (told_of_one, told_of_other) = (told(&one).await, told(&other).await);
    assert_eq!(told_of_one, told_of_other);
    assert!(
        told_of_one.contains("<new-root>") && told_of_one.contains("<root@master1.sha256>"),
        "{told_of_one}"
    );
    // No two signatures of a curve are alike: in one process what was signed once is not signed again.
    assert_eq!(one.fingerprint("root", "master1").await, other.fingerprint("root", "master1").await);
    assert_eq!(one.fingerprint("leaf", "master2").await, other.fingerprint("leaf", "master2").await);
}

#[tokio::test]
async fn a_command_that_cannot_do_what_it_is_declared_to_fails() {
    let place = place("[files.root]\ntext = \"no certificate\"\n");
    place.ask().await;
    let outcome = place.run("renew", "master1").await;
    assert!(!outcome.succeeded, "{outcome:?}");
    assert!(outcome.reason.starts_with("a simulated command cannot do it"), "{outcome:?}");
}
