//! What the profiles declare for the key of a cluster, resolved and run as Windlass does it.

use super::*;
use std::sync::Arc;
use windlass::capability::nodes::{
    ArgumentValue, JobKey, NodeContexts, NodesError, observe, outcome, request, run_change,
};
use windlass::model::{CommandName, NodeName, Outcome, RunId};
use windlass::site::{CommandKind, Site};
use windlass::transport::Transports;

/// A site as Windlass holds it in a run.
struct Declared<'a> {
    fixture: &'a Fixture,
    site: Site,
    transports: Transports,
    contexts: NodeContexts,
    run: RunId,
}

impl<'a> Declared<'a> {
    fn of(fixture: &'a Fixture) -> Self {
        let site = Site::load(&fixture.dir).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let folder = fixture.dir.join("run");
        std::fs::create_dir_all(&folder).unwrap();
        let transports = Transports::new(&site, &folder).unwrap();
        let run = RunId::new("run-1").unwrap();
        Self { fixture, site, transports, contexts: NodeContexts::default(), run }
    }

    async fn perform(&self, node: &str, command: &str, job: &str, given: &[(&str, &str)]) -> Outcome {
        let node = NodeName::new(node).unwrap();
        let declaration = &self.site.profile.commands[&CommandName::new(command).unwrap()];
        let context = self.contexts.of(&self.transports, &self.site, &node).await.unwrap();
        let given = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), ArgumentValue::Text((*value).to_owned())))
            .collect();
        let resolved = Arc::new(context.resolve_command(declaration, given, false).unwrap());
        let ended: Result<_, NodesError> = match declaration.kind {
            CommandKind::Observe => observe(&self.transports, &resolved).await,
            CommandKind::Change => {
                let key = JobKey { id: job, run: &self.run, token: None };
                run_change(&self.transports, &resolved, key, &mut |_| {}).await
            }
            CommandKind::Http => {
                let ca = std::fs::read(self.fixture.dir.join("manager-ca.pem")).unwrap();
                request(resolved.clone(), Some(ca)).await
            }
            CommandKind::Manual => panic!("{command} is done by hand"),
        };
        outcome(&resolved, &ended.unwrap())
    }

    async fn succeeds(&self, node: &str, command: &str) -> bool {
        self.perform(node, command, "none", &[]).await.succeeded
    }
}

async fn as_declared(product: Product) {
    let fixture = up_as(product, Transport::Local, 1);
    let declared = Declared::of(&fixture);
    assert_eq!(declared.site.profile.name, "practice");
    assert!(declared.succeeds("member1", "services-started").await);
    assert!(!declared.succeeds("member1", "services-stopped").await);

    let stopped = declared.perform("master1", "stop-cluster", "none", &[]).await;
    assert!(stopped.succeeded, "{stopped:?}");
    assert_eq!(stopped.output, ["finished: Operation succeeded"]);
    for node in ["master1", "master2", "member1"] {
        let looked = declared.perform(node, "services-stopped", "none", &[]).await;
        assert!(looked.succeeded && looked.output == ["DBService stopped"], "{looked:?}");
    }

    // Without a backup nothing tells; with one, it tells the update.
    assert!(!declared.succeeds("master1", "root-key-updated").await);
    let set = fixture.om("master1", "security/keyset.json");
    std::fs::copy(&set, fixture.om("master1", "security/keyset.backup.json")).unwrap();
    assert!(!declared.succeeds("master1", "root-key-updated").await);
    let updated = declared.perform("master1", "update-root-key", "e1", &[]).await;
    assert!(updated.succeeded, "{updated:?}");
    let last = updated.output.last().map(String::as_str);
    assert_eq!(last, Some("Step 4-4: The root key is sent successfully."));
    assert!(declared.succeeds("master1", "root-key-updated").await);
    std::fs::remove_file(&set).unwrap();
    assert!(!declared.succeeds("master1", "root-key-updated").await);
    std::fs::copy(fixture.om("master2", "security/keyset.json"), &set).unwrap();

    let isolated = declared.perform("master1", "isolate-node", "none", &[("node", "member1")]).await;
    assert!(isolated.succeeded && isolated.output == ["member1 is isolated"], "{isolated:?}");
    assert!(declared.succeeds("master1", "start-cluster").await);
    assert!(declared.succeeds("master2", "services-started").await);
    assert!(declared.succeeds("member1", "services-stopped").await);
    let joined = declared.perform("master1", "join-node", "none", &[("node", "member1")]).await;
    assert!(joined.succeeded, "{joined:?}");
    let unknown = declared.perform("master1", "isolate-node", "none", &[("node", "member7")]).await;
    assert!(!unknown.succeeded && unknown.exit == 404, "{unknown:?}");

    fixture.set(Switch::StuckService);
    let stuck = declared.perform("master1", "stop-cluster", "none", &[]).await;
    assert!(!stuck.succeeded, "{stuck:?}");
    assert_eq!(stuck.output, ["finished: Operation failed", "master2 DBService running"]);
}

#[tokio::test]
async fn the_commands_for_the_key_of_2_x_do_what_the_profile_says() {
    as_declared(Product::Mrs2).await;
}

#[tokio::test]
async fn the_commands_for_the_key_of_3_x_do_what_the_profile_says() {
    as_declared(Product::Mrs3).await;
}

#[test]
fn without_the_practice_profile_the_cluster_is_stopped_and_started_by_hand() {
    let fixture = up(Transport::Local, 0);
    let path = fixture.dir.join("site.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    for product in ["mrs-2", "mrs-3"] {
        let named = format!("profile = \"{product}\"");
        std::fs::write(&path, text.replace("profile = \"practice\"", &named)).unwrap();
        let site = Site::load(&fixture.dir).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        for (command, says) in [
            ("stop-cluster", "\"I have read the information and understand the impact\" and click OK. After"),
            (
                "start-cluster",
                "choose Service > More > Start Cluster. In the confirmation dialog box, click OK.",
            ),
        ] {
            let declared = &site.profile.commands[&CommandName::new(command).unwrap()];
            assert_eq!(declared.kind, CommandKind::Manual);
            assert!(declared.instruction.as_ref().unwrap().contains(says), "{declared:?}");
        }
    }
}

#[test]
fn the_profile_of_a_practice_cluster_goes_with_it_unless_it_was_edited() {
    let fixture = up(Transport::Local, 0);
    let profile = fixture.dir.join("profiles/practice.toml");
    let text = std::fs::read_to_string(&profile).unwrap();
    std::fs::write(&profile, format!("{text}\n# mine\n")).unwrap();
    fixture.lab.down().unwrap();
    assert!(std::fs::read_to_string(&profile).unwrap().ends_with("# mine\n"));
    std::fs::remove_dir_all(&fixture.dir).unwrap();

    std::fs::create_dir_all(profile.parent().unwrap()).unwrap();
    std::fs::write(&profile, "title = \"mine\"\n").unwrap();
    let plan =
        Plan { transport: Transport::Local, product: Product::Mrs2, members: 0, binary: Some(BINARY.into()) };
    assert!(matches!(Lab::up(&fixture.dir, &plan), Err(LabError::Occupied { .. })));
}
