//! `windlass gen-cert`: the source page's `gen-cert.sh --root-ca`, with its arguments and its last line.

use crate::capability::crypto::{self, CryptoError, KeyAlgorithm, PrivateKey};
use crate::capability::secrets::source::{self, Wanted};
use crate::capability::secrets::{PasswordPolicy, Secret, SecretError};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::cli::ui::Ui;
use crate::model::Entry;
use crate::site::SecretSource;
use camino::{Utf8Path, Utf8PathBuf};
use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use tempfile::{NamedTempFile, TempPath};

const CERTIFICATE: &str = "root-ca.crt";
const KEY: &str = "root-ca.pem";
/// What the product's own command prints.
const SUCCESS: &str = "Generate root-ca pair success.";

/// Make a root CA: root-ca.crt, and root-ca.pem encrypted under a password, in the current folder
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Make a root CA (the only kind there is; leaf certificates are issued by a run)
    #[arg(long, required = true)]
    root_ca: bool,
    /// Two letters, as DE
    #[arg(long)]
    country: Option<String>,
    /// State or province
    #[arg(long)]
    state: Option<String>,
    /// City
    #[arg(long)]
    city: Option<String>,
    /// Organization
    #[arg(long)]
    company: Option<String>,
    /// Department
    #[arg(long)]
    organize: Option<String>,
    /// Name of the CA, as HADOOP.COM
    #[arg(long)]
    common_name: String,
    /// The administrator's address
    #[arg(long)]
    email: Option<String>,
    /// File that holds the password of the key (one line); asked for where absent
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    password_file: Option<Utf8PathBuf>,
    /// Password of the key: seen by every user of this machine; prefer --password-file or the prompt
    #[arg(long, value_parser = password)]
    password: Option<Secret>,
    /// Which password policy to enforce: mrs-2 or mrs-3
    #[arg(long, default_value = "mrs-2", value_name = "POLICY")]
    password_policy: PasswordPolicy,
    /// rsa-3072, rsa-4096, ecdsa-p256 …
    #[arg(long, default_value_t)]
    key_algorithm: KeyAlgorithm,
    /// Days of validity, from an hour ago
    #[arg(long, default_value_t = 3650)]
    days: u32,
}

fn password(text: &str) -> std::result::Result<Secret, std::convert::Infallible> {
    Ok(Secret::from_text(text.to_owned()))
}

/// Makes the pair in the current folder.
pub fn run(args: Args, context: &Context) -> Result {
    make(args, Utf8Path::new("."), &context.ui)
}

fn make(args: Args, dir: &Utf8Path, ui: &Ui) -> Result {
    // Before anybody is asked for a password in vain.
    for name in [CERTIFICATE, KEY] {
        if dir.join(name).symlink_metadata().is_ok() {
            return Err(exists(name));
        }
    }
    let subject = subject(&args);
    let password = read_password(&args, dir, ui)?;
    let broken = args.password_policy.broken_rules(&password);
    if !broken.is_empty() {
        let message = format!("the password does not meet the policy {}", args.password_policy);
        let mut error = Error::new(Exit::Usage, message);
        error.causes = broken;
        return Err(error.hint("choose another password and run the command again"));
    }

    let now = jiff::Timestamp::now().as_second();
    let usage = |error: crypto::CryptoError| match error {
        CryptoError::Library { .. } => Error::from_error(Exit::Fault, &error),
        // What else can be wrong from here on is a value on the command line.
        _ => Error::from_error(Exit::Usage, &error),
    };
    let key = PrivateKey::generate(args.key_algorithm).map_err(usage)?;
    let certificate = crypto::self_sign(&key, &subject, args.days, now).map_err(usage)?;
    let sealed = key.to_encrypted_pem(&password).map_err(usage)?;
    let made = crypto::inspect(&certificate).map_err(usage)?;

    // The key first: a certificate without its key would look like a finished pair.
    let written = write(dir, KEY, sealed.as_bytes(), 0o600).and_then(|()| {
        write(dir, CERTIFICATE, crypto::to_pem(&certificate).as_bytes(), 0o644).inspect_err(|_| {
            // Made a moment ago by this command; the error that matters is the other one.
            let _ = std::fs::remove_file(dir.join(KEY));
        })
    });
    written.map_err(|(name, error)| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(name),
        _ => Error::new(Exit::Failed, format!("{name} cannot be written to the current folder: {error}"))
            .hint("check the folder's owner and the room on its disk"),
    })?;

    if ui.is_json() {
        ui.json(&serde_json::json!({
            "certificate": CERTIFICATE, "key": KEY, "says": made, "message": SUCCESS,
        }));
    } else {
        ui.say(format!("{CERTIFICATE}: {}, SHA-256 {}", made.subject, made.fingerprint));
        ui.say(format!("{KEY}: its {} key, encrypted, mode 0600", made.key_algorithm));
        ui.out(SUCCESS);
    }
    Ok(Exit::Done)
}

/// In the order of the source page's command, as `openssl req` orders them too.
fn subject(args: &Args) -> Vec<Entry> {
    [
        ("country", &args.country),
        ("state", &args.state),
        ("city", &args.city),
        ("company", &args.company),
        ("organize", &args.organize),
        ("common-name", &Some(args.common_name.clone())),
        ("email", &args.email),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(Entry { name: name.into(), value: value.clone()? }))
    .collect()
}

fn read_password(args: &Args, dir: &Utf8Path, ui: &Ui) -> std::result::Result<Secret, Error> {
    if let Some(password) = &args.password {
        ui.warn(
            "--password= can be read by every user of this machine (ps) and stays in the shell's history; \
             use --password-file or the prompt",
        );
        return Ok(password.clone());
    }
    let source = match &args.password_file {
        Some(path) => SecretSource::File(path.clone()),
        None => SecretSource::Prompt,
    };
    let mut ask = source::terminal;
    let wanted = Wanted { name: "password", prompt: "Password of root-ca.pem:", confirm: true, dir };
    let ask = ui.interactive.then_some(&mut ask as source::Ask<'_>);
    let reading = source::read(&source, wanted, ask).map_err(|error| match error {
        SecretError::NobodyToAsk { .. } => {
            Error::new(Exit::Usage, "the password has to be asked for and there is nobody to ask")
                .hint("add --password-file FILE")
        }
        SecretError::File { path, source, .. } => {
            Error::new(Exit::Usage, format!("the password cannot be read from {path}: {source}"))
                .hint("put the password into that file, alone, with mode 0600")
        }
        other => Error::from_error(Exit::Usage, &other),
    })?;
    reading.warnings.iter().for_each(|warning| ui.warn(warning));
    Ok(reading.secret)
}

fn exists(name: &str) -> Error {
    Error::new(Exit::Usage, format!("{name} exists in the current folder and is not overwritten"))
        .hint("move it away, or run this in an empty folder")
}

/// Writes a file at once and never over another: beside it, synced, then given its name.
fn write(
    dir: &Utf8Path,
    name: &'static str,
    bytes: &[u8],
    mode: u32,
) -> std::result::Result<(), (&'static str, io::Error)> {
    let beside = || -> io::Result<TempPath> {
        let mut file = NamedTempFile::new_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        Ok(file.into_temp_path())
    };
    beside()
        .and_then(|path| path.persist_noclobber(dir.join(name)).map_err(|error| error.error))
        .map_err(|error| (name, error))?;
    // The file has its name; some network file systems cannot sync a folder, and say so.
    let _ = File::open(dir).and_then(|folder| folder.sync_all());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::crypto::testing::Bench;
    use crate::cli::ui::{Format, Loudness};
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    const PAGE: &str = "--root-ca --country=DE --state=eur --city=ber --company=dt --organize=IT \
                        --common-name=HADOOP.COM --email=abc@dt.com";

    fn parse(line: &str) -> Args {
        Line::try_parse_from(std::iter::once("gen-cert").chain(line.split_whitespace())).unwrap().args
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
        fn path(&self) -> &Utf8Path {
            Utf8Path::from_path(self.0.path()).unwrap()
        }
        fn run(&self, line: &str) -> Result {
            let ui = Ui { format: Format::Text, loudness: Loudness::Quiet, interactive: false };
            make(parse(line), self.path(), &ui)
        }
        fn names(&self) -> Vec<String> {
            let entries = self.0.path().read_dir().unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
        #[track_caller]
        fn refused(&self, line: &str, parts: &[&str]) {
            let error = self.run(line).unwrap_err();
            assert_eq!(error.exit, Exit::Usage, "{line}");
            for part in parts {
                assert!(error.render().contains(part), "{line}: {part:?} is not in {}", error.render());
            }
        }
    }

    #[test]
    fn the_source_pages_command_makes_a_pair_that_openssl_takes() {
        let Some(bench) = Bench::with_openssl() else { return };
        let folder = Folder::new();
        std::fs::copy(bench.path("pass"), folder.path().join("pass")).unwrap();
        let exit = folder.run(&format!("{PAGE} --password-file=pass --key-algorithm=rsa-2048")).unwrap();
        assert_eq!(exit, Exit::Done);
        assert_eq!(folder.names(), ["pass", "root-ca.crt", "root-ca.pem"]);
        for (name, mode) in [(CERTIFICATE, 0o644), (KEY, 0o600)] {
            let file = folder.path().join(name);
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, mode, "{name}");
            bench.write(name, std::fs::read(file).unwrap());
        }
        bench.run("openssl verify -x509_strict -CAfile root-ca.crt root-ca.crt");
        let subject = bench.run("openssl x509 -in root-ca.crt -noout -subject");
        let expected = "C = DE, ST = eur, L = ber, O = dt, OU = IT, CN = HADOOP.COM";
        assert_eq!(subject, format!("subject={expected}, emailAddress = abc@dt.com\n"));
        assert_eq!(
            bench.run("openssl pkey -in root-ca.pem -passin file:pass -pubout"),
            bench.run("openssl x509 -in root-ca.crt -noout -pubkey")
        );
    }

    #[test]
    fn existing_files_are_never_overwritten() {
        for name in [CERTIFICATE, KEY] {
            let folder = Folder::new();
            std::fs::write(folder.path().join(name), "mine").unwrap();
            folder.refused(&format!("{PAGE} --password=Anchor#2026"), &[name, "move it away"]);
            assert_eq!(folder.names(), [name]);
            assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), b"mine");
        }
    }

    #[test]
    fn a_dangling_link_is_not_written_through() {
        let folder = Folder::new();
        std::os::unix::fs::symlink("elsewhere", folder.path().join(KEY)).unwrap();
        folder.refused(&format!("{PAGE} --password=Anchor#2026"), &[KEY]);
        assert_eq!(folder.names(), [KEY]);
    }

    #[test]
    fn bad_passwords_and_subjects_are_usage_errors_and_leave_nothing() {
        let folder = Folder::new();
        let page = |password: &str| format!("{PAGE} --key-algorithm=ecdsa-p256 --password={password}");
        folder.refused(&page("Aa1#"), &["fewer than 8"]);
        folder.refused(&page("Userpwd@123"), &["sample"]);
        folder.refused(&page("Anchor2026"), &["no special"]);
        folder.refused(&page("Anchor\"2026#"), &["none of A-Z"]);
        folder.refused(&format!("{} --password-policy=mrs-3", page("Anchor:#2026")), &["none of A-Z"]);
        folder.refused(&page("Anchor#2026").replace("=DE", "=DEU"), &["country"]);
        folder.refused(&format!("{} --days=0", page("Anchor#2026")), &["days"]);
        folder.refused(PAGE, &["nobody to ask", "--password-file"]);
        folder.refused(&format!("{PAGE} --password-file=none"), &["cannot be read from", "mode 0600"]);
        assert_eq!(folder.names(), Vec::<String>::new());
    }

    #[test]
    fn arguments_that_do_not_go_together_are_refused_and_a_password_is_not_shown() {
        let line = format!("{PAGE} --password=Anchor#2026");
        assert!(!format!("{:?}", parse(&line)).contains("Anchor"));
        for line in [
            PAGE.replace("--root-ca ", ""),
            PAGE.replace("--common-name=HADOOP.COM ", ""),
            format!("{PAGE} --password=x --password-file=y"),
            format!("{PAGE} --key-algorithm=rsa-1024"),
            format!("{PAGE} --password-policy=none"),
        ] {
            let words = std::iter::once("gen-cert").chain(line.split_whitespace());
            assert!(Line::try_parse_from(words).is_err(), "{line}");
        }
    }
}
