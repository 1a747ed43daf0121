use super::super::error::NodesError;
use super::context::normalise;
use super::*;
use crate::capability::files::Kind;
use crate::model::{CommandName, FileName, NodeName, PluginName};
use crate::site::{
    ArgumentDeclaration, CommandDeclaration, CommandKind, Consequences, FileDeclaration, HttpRequest,
    OutsideEnvelope, Parser, Profile, Prompt, Site, SshSettings, Success, Template, TemplatePart, Trust, Var,
    Written,
};
use indexmap::IndexMap;
use proptest::prelude::*;
use std::time::Duration;
use zeroize::Zeroizing;

/// `${name}` and `{name}`, as the site's own parser reads them.
pub fn template(text: &str) -> Template {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '{']) {
        parts.push(TemplatePart::Text(rest[..at].into()));
        let variable = rest[at..].starts_with('$');
        let name = &rest[at + if variable { 2 } else { 1 }..];
        let end = name.find('}').unwrap();
        let inner = name[..end].to_owned();
        parts.push(if variable { TemplatePart::Variable(inner) } else { TemplatePart::Placeholder(inner) });
        rest = &name[end + 1..];
    }
    parts.push(TemplatePart::Text(rest.into()));
    Template { parts: parts.into_iter().filter(|part| *part != TemplatePart::Text(String::new())).collect() }
}

fn argument(secret: bool) -> ArgumentDeclaration {
    ArgumentDeclaration { secret, longest: 16, characters: " .@".into(), default: None }
}

/// A change that answers a prompt with its one argument, a secret.
pub fn declared() -> CommandDeclaration {
    CommandDeclaration {
        name: CommandName::new("replace").unwrap(),
        kind: CommandKind::Change,
        argv: vec![template("sh"), template("-c"), template("true")],
        user: "omm".into(),
        cwd: None,
        env: IndexMap::new(),
        prompts: vec![Prompt { expect: "Enter the password:".into(), reply: template("{password}") }],
        success: Success { contains: Vec::new(), exit: vec![0] },
        timeout: Duration::from_secs(20),
        output: Parser::None,
        args: [("password".to_owned(), argument(true))].into_iter().collect(),
        terminal: false,
        consequences: Consequences::default(),
        instruction: None,
        request: None,
        secret_in_argv: false,
    }
}

pub fn site() -> Site {
    let vars = [
        ("home", Var::LoginEnv { variable: "PRODUCT_HOME".into(), user: "omm".into() }),
        ("other", Var::LoginEnv { variable: "OTHER".into(), user: "omm".into() }),
        ("literal", Var::Literal("/opt/x".into())),
    ];
    let vars: IndexMap<String, Var> = vars.into_iter().map(|(name, var)| (name.to_owned(), var)).collect();
    let paths = [("cert", "${home}/cert"), ("deep", "${cert}//deep/"), ("a", "${b}"), ("b", "${a}")];
    let profile = Profile {
        name: "p".into(),
        title: String::new(),
        service_user: "omm".into(),
        vars: vars.clone(),
        paths: paths.into_iter().map(|(name, text)| (name.to_owned(), template(text))).collect(),
        files: IndexMap::new(),
        commands: IndexMap::new(),
        endpoints: IndexMap::new(),
        health: None,
        keyring: None,
        known_by: Vec::new(),
        defaults: IndexMap::<PluginName, _>::new(),
        managers: "managers".into(),
    };
    Site {
        dir: "/site".into(),
        name: "s".into(),
        trust: Trust::Dev,
        outside_envelope: OutsideEnvelope::Pause,
        operators: Vec::new(),
        nodes: IndexMap::new(),
        become_users: IndexMap::new(),
        manager: None,
        secrets: IndexMap::new(),
        procedures: IndexMap::new(),
        hooks: Vec::new(),
        grants: IndexMap::new(),
        profile,
        vars,
        ssh: SshSettings::default(),
        attention: Default::default(),
        digest: String::new(),
        digests: Default::default(),
        lab: None,
    }
}

fn context(home: Option<&str>) -> NodeContext {
    let environment = home.map(|home| ("PRODUCT_HOME".to_owned(), home.to_owned())).into_iter().collect();
    let environments = [("omm".to_owned(), environment)].into_iter().collect();
    NodeContext::new(&site(), &NodeName::new("master1").unwrap(), &environments)
}

fn file(path: &str) -> FileDeclaration {
    FileDeclaration {
        name: FileName::new("cert").unwrap(),
        path: template(path),
        mode: None,
        owner: None,
        secret: false,
        guessable: false,
        read_only: false,
        holds: crate::site::Holds::Bytes,
    }
}

fn text(name: &str, value: &str) -> (String, ArgumentValue) {
    (name.into(), ArgumentValue::Text(value.into()))
}

fn secret(name: &str, value: &[u8]) -> (String, ArgumentValue) {
    (name.into(), ArgumentValue::Secret(Zeroizing::new(value.to_vec())))
}

#[test]
fn paths_follow_the_nodes_own_variables() {
    let here = context(Some("/opt/Bigdata/"));
    assert_eq!(here.resolve_file(&file("${cert}/root.crt")).unwrap().path, "/opt/Bigdata/cert/root.crt");
    assert_eq!(here.resolve_folder("deep").unwrap(), "/opt/Bigdata/cert/deep");
    assert_eq!(here.resolve_file(&file("${literal}/y")).unwrap().path, "/opt/x/y");
}

#[test]
fn the_site_overrides_a_variable() {
    let mut site = site();
    site.vars.insert("home".into(), Var::Literal("/srv".into()));
    let here = NodeContext::new(&site, &NodeName::new("n").unwrap(), &IndexMap::new());
    assert_eq!(here.resolve_folder("cert").unwrap(), "/srv/cert");
}

#[test]
fn a_variable_without_a_usable_value_is_never_an_empty_string() {
    for home in [None, Some(""), Some("  "), Some("/opt\n/x"), Some("/o\u{1b}[2J")] {
        let error = context(home).resolve_file(&file("${cert}/root.crt")).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("${home}") && said.contains("PRODUCT_HOME") && said.contains("omm"), "{said}");
        assert!(said.contains("master1") && !said.contains('\u{1b}'), "{said}");
    }
    // One that nothing uses does no harm.
    context(Some("/opt")).resolve_folder("cert").unwrap();
}

#[test]
fn a_path_that_climbs_or_is_not_absolute_is_refused() {
    for home in ["opt", "./opt", "/opt/..", "/opt/../etc", "/opt/./x", "~"] {
        let error = context(Some(home)).resolve_folder("cert").unwrap_err();
        assert!(matches!(error, NodesError::Path { .. }), "{home}: {error}");
    }
    for path in ["/", "//", "x", "${literal}/../y", "${home}", "/a\u{7}"] {
        assert!(context(Some("/")).resolve_file(&file(path)).is_err(), "{path}");
    }
    let error = context(Some("/opt")).resolve_folder("a").unwrap_err();
    assert!(error.to_string().contains("circle"), "{error}");
    assert!(context(Some("/opt")).resolve_folder("nowhere").is_err());
    assert!(context(Some("/opt")).resolve_file(&file("/x/{password}")).is_err());
}

#[test]
fn an_owner_that_could_be_an_option_is_refused() {
    for (owner, good) in [("omm", true), ("omm:wheel", true), ("-R", false), ("a b", false), ("", false)] {
        let declared = FileDeclaration { owner: Some(owner.into()), ..file("/x") };
        assert_eq!(context(None).resolve_file(&declared).is_ok(), good, "{owner}");
    }
}

#[test]
fn arguments_must_fit_their_declaration() {
    let mut command = declared();
    command.argv = vec![template("gen"), template("--name={name}")];
    command.args.insert("name".into(), argument(false));
    command
        .args
        .insert("fallback".into(), ArgumentDeclaration { default: Some("x".into()), ..argument(false) });
    let resolve = |arguments| context(None).resolve_command(&command, arguments, false);
    let password = || secret("password", b"pa'ss\"$`\\ word");

    let good = resolve(vec![password(), text("name", "HADOOP.COM a@b")]).unwrap();
    assert_eq!(
        good.argv.iter().map(|word| word.as_str()).collect::<Vec<_>>(),
        ["gen", "--name=HADOOP.COM a@b"]
    );
    assert_eq!(good.prompts[0].reply.as_slice(), b"pa'ss\"$`\\ word");
    assert!(!format!("{good:?}").contains("pa'ss"));

    for (arguments, expected) in [
        (vec![password()], "\"name\" of replace: it is missing"),
        (vec![password(), text("name", "a;b")], "the character ';'"),
        (vec![password(), text("name", "ä")], "the character 'ä'"),
        (vec![password(), text("name", "-rf")], "starts with '-'"),
        (vec![password(), text("name", "12345678901234567")], "17 bytes long"),
        (vec![password(), text("name", "a"), text("nmae", "a")], "takes password, name, fallback"),
        (vec![password(), text("name", "a"), text("name", "b")], "given twice"),
        (vec![text("password", "plain"), text("name", "a")], "takes a secret"),
        (vec![password(), secret("name", b"oops")], "not marked secret"),
        (vec![secret("password", b"a\nb"), text("name", "a")], "control character"),
        (vec![secret("password", b""), text("name", "a")], "empty"),
    ] {
        let error = resolve(arguments).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("oops") && !said.contains("plain"), "{said}");
    }
}

#[test]
fn a_secret_in_the_arguments_needs_both_words_and_is_refused_elsewhere() {
    let mut command = declared();
    command.argv.push(template("--password={password}"));
    let arguments = || vec![secret("password", b"Secret1@")];
    let resolve =
        |command: &CommandDeclaration, allow| context(None).resolve_command(command, arguments(), allow);
    assert!(resolve(&command, true).unwrap_err().to_string().contains("secret_in_argv"));
    command.secret_in_argv = true;
    assert!(resolve(&command, false).unwrap_err().to_string().contains("allow_secret_in_argv"));
    assert_eq!(resolve(&command, true).unwrap().argv[3].as_str(), "--password=Secret1@");

    let mut command = declared();
    command.env.insert("PASSWORD".into(), template("{password}"));
    assert!(resolve(&command, true).unwrap_err().to_string().contains("environment"));
    let mut command = declared();
    command.env.insert("A=B".into(), template("x"));
    assert!(resolve(&command, true).is_err());
    let mut command = declared();
    command.cwd = Some(template("/x/{password}"));
    assert!(resolve(&command, true).is_err());
    for first in ["-n", "A=B", ""] {
        let mut command = declared();
        command.argv = vec![template(first), template("x")];
        assert!(resolve(&command, true).is_err(), "{first}");
    }
}

#[test]
fn a_request_encodes_values_as_its_body_demands_and_keeps_secrets_out_of_the_url() {
    let mut command = declared();
    command.argv.clear();
    command.args.insert("name".into(), argument(false));
    let request = |url: &str, body: &str| HttpRequest {
        method: "POST".into(),
        url: template(url),
        body: Some(Template {
            // The braces of JSON are text here; the site's parser has an escape for them.
            parts: match body {
                "json" => vec![
                    TemplatePart::Text("{\"password\":\"".into()),
                    TemplatePart::Placeholder("password".into()),
                    TemplatePart::Text("\"}".into()),
                ],
                _ => template(body).parts,
            },
        }),
        expect: vec![200],
        poll: None,
    };
    let resolve = |command: &CommandDeclaration| {
        let arguments = vec![secret("password", b"a\"b\\c&d"), text("name", "x y@z")];
        context(None).resolve_command(command, arguments, true)
    };
    command.request = Some(request("https://m/{name}", "json"));
    let resolved = resolve(&command).unwrap().request.unwrap();
    assert_eq!(resolved.url, "https://m/x%20y%40z");
    assert_eq!(resolved.body.unwrap().bytes.as_slice(), br#"{"password":"a\"b\\c&d"}"#);
    command.request = Some(request("https://m/", "password={password}"));
    let body = resolve(&command).unwrap().request.unwrap().body.unwrap();
    assert_eq!(body.bytes.as_slice(), b"password=a%22b%5Cc%26d");
    assert_eq!(body.content_type, "application/x-www-form-urlencoded");
    command.request = Some(request("https://m/{password}", "json"));
    assert!(resolve(&command).unwrap_err().to_string().contains("URL"));
}

#[test]
fn what_a_command_writes_is_what_is_saved_before_it() {
    let mut site = site();
    site.profile.files.insert(FileName::new("cert").unwrap(), file("${cert}/x"));
    let mut command = declared();
    command.consequences.writes =
        vec![Written::File(FileName::new("cert").unwrap()), Written::Folder("deep".into())];
    let targets = context(Some("/opt")).written(&site.profile, &command).unwrap();
    assert_eq!((targets[0].path.as_str(), targets[0].kind), ("/opt/cert/x", Kind::File));
    assert_eq!((targets[1].path.as_str(), targets[1].kind), ("/opt/cert/deep", Kind::Folder));
    command.consequences.writes.push(Written::File(FileName::new("unknown").unwrap()));
    assert!(context(Some("/opt")).written(&site.profile, &command).is_err());
}

proptest! {
    #[test]
    fn a_normalised_path_is_absolute_plain_and_stays_as_it_is(path in "[/a.~ \\-\u{1b}ä]{0,40}") {
        if let Ok(normal) = normalise(&path) {
            prop_assert!(normal.starts_with('/') && !normal.contains("//") && !normal.ends_with('/'));
            prop_assert!(normal.split('/').all(|part| part != "." && part != ".."));
            prop_assert!(!normal.chars().any(char::is_control));
            prop_assert_eq!(normalise(&normal).unwrap(), normal);
        }
    }
}

#[test]
fn paths_that_double_each_other_end_with_an_error() {
    let mut site = site();
    site.vars.insert("home".into(), Var::Literal("/srv".into()));
    let mut below = "home".to_owned();
    for level in 0..12 {
        let name = format!("twice{level}");
        let template = Template::parse(&format!("${{{below}}}").repeat(64)).unwrap();
        site.profile.paths.insert(name.clone(), template);
        below = name;
    }
    let here = NodeContext::new(&site, &NodeName::new("n").unwrap(), &IndexMap::new());
    let error = here.resolve_folder(&below).unwrap_err().to_string();
    assert!(error.contains("longer than"), "{error}");
}

#[test]
fn the_bundled_profile_names_the_source_pages_places() {
    let folder = tempfile::tempdir().unwrap();
    let node = "[nodes.n]\nlocal = \"n\"\ngroups = [\"managers\"]\n";
    let text = format!("[site]\nname = \"s\"\nprofile = \"mrs-2\"\n{node}");
    std::fs::write(folder.path().join("site.toml"), text).unwrap();
    let site = Site::load(camino::Utf8Path::from_path(folder.path()).unwrap()).unwrap();
    let environments = IndexMap::from([(
        "omm".to_owned(),
        IndexMap::from([
            ("BIGDATA_HOME".to_owned(), "/opt/Bigdata".to_owned()),
            ("OMS_RUN_PATH".to_owned(), "/opt/Bigdata/OMSV100R001C00x8664".to_owned()),
        ]),
    )]);
    let here = NodeContext::new(&site, &NodeName::new("n").unwrap(), &environments);
    let path = |name: &str| here.resolve_file(&site.profile.files[name]).unwrap().path;
    assert_eq!(path("ha-root-key"), "/opt/Bigdata/om-0.0.1/security/certHA/root-ca.pem");
    assert_eq!(
        path("ha-new-root-cert"),
        "/opt/Bigdata/OMSV100R001C00x8664/workspace0/ha/local/cert/root-ca.crt"
    );
    let restart = here.resolve_command(&site.profile.commands["restart-ha"], Vec::new(), false).unwrap();
    assert_eq!(restart.argv[1].as_str(), "/opt/Bigdata/om-0.0.1/sbin/restart-oms.sh");
}
