//! The host's functions, one for each function of `wit/`, under the name of its interface.
//!
//! One table makes both sides, so they cannot drift apart: in a guest a function calls the host, elsewhere it
//! calls the [mock host](crate::mock) that the test installed.

use crate::{
    Argument, Certificate, CertificateSource, Content, Entry, Fault, FileStat, HealthRecord, KeySet, Member,
    MemberDone, MemberFingerprint, MemberOutcome, Outcome, QuarantinedNode,
};

macro_rules! host_functions {
    ($(
        $(#[$interface_doc:meta])*
        $interface:ident {$(
            $(#[$doc:meta])*
            fn $function:ident($($argument:ident: $type:ty),*) -> $answer:ty;
        )*}
    )*) => {
        $(
            $(#[$interface_doc])*
            pub mod $interface {
                use super::*;
                $(
                    $(#[$doc])*
                    pub fn $function($($argument: $type),*) -> Result<$answer, Fault> {
                        #[cfg(target_arch = "wasm32")]
                        return crate::bindings::procedure::windlass::plugin::$interface::$function($($argument),*);
                        #[cfg(not(target_arch = "wasm32"))]
                        return crate::mock::with_installed(|host| host.$function($($argument),*));
                    }
                )*
            }
        )*

        /// A stand-in for the host: one method for each function. A test implements those its plugin calls;
        /// the others answer with a fault of the code `unknown`.
        #[cfg(not(target_arch = "wasm32"))]
        // The contract decides how many arguments a function has, and a default makes no use of them.
        #[allow(unused_variables, clippy::too_many_arguments)]
        pub trait MockHost {
            $($(
                $(#[$doc])*
                fn $function(&mut self, $($argument: $type),*) -> Result<$answer, Fault> {
                    Err(crate::mock::unanswered(concat!(stringify!($interface), ".", stringify!($function))))
                }
            )*)*
        }
    };
}

host_functions! {
    /// The nodes of the cluster, and the named commands that the profile declares for them.
    nodes {
        /// Returns the members in inventory order.
        fn members() -> Vec<Member>;
        /// Runs a named command on one node and waits for it, at most for its declared time-out.
        fn run(node: &str, command: &str, arguments: &[Argument]) -> Outcome;
        /// Runs a named command on many nodes, a bounded number at a time.
        fn run_each(nodes: &[String], command: &str, arguments: &[Argument]) -> Vec<MemberOutcome>;
        /// Writes down that a node is out of step with the others, and why.
        fn quarantine(node: &str, reason: &str) -> ();
        /// Writes down that a node is in step again.
        fn release(node: &str) -> ();
        /// Returns the nodes in quarantine, in inventory order.
        fn quarantined() -> Vec<QuarantinedNode>;
        /// Returns how far the node's clock is ahead of the controller's, in milliseconds.
        fn clock_offset(node: &str) -> i64;
    }

    /// The files of a node that the profile names.
    files {
        /// Returns size, mode, owner and time of a file, or none where it does not exist.
        fn stat(node: &str, file: &str) -> Option<FileStat>;
        /// Returns the SHA-256 of a file's bytes in lower-case hex, or none where it does not exist.
        fn fingerprint(node: &str, file: &str) -> Option<String>;
        /// As `fingerprint`, on many nodes, a bounded number at a time.
        fn fingerprint_each(nodes: &[String], file: &str) -> Vec<MemberFingerprint>;
        /// Returns the bytes of a file that is not secret, at most 1 MiB.
        fn read(node: &str, file: &str) -> Vec<u8>;
        /// Returns the bytes free for the service user where the file lies.
        fn space(node: &str, file: &str) -> u64;
        /// Replaces a file at once.
        fn put(node: &str, file: &str, content: &Content) -> ();
        /// As `put`, on many nodes, a bounded number at a time.
        fn put_each(nodes: &[String], file: &str, content: &Content) -> Vec<MemberDone>;
        /// Writes new content beside the file, as part of a named set.
        fn stage(set: &str, node: &str, file: &str, content: &Content) -> ();
        /// Renames every file of a set on a node into its place, as one generation.
        fn swap(set: &str, node: &str) -> ();
        /// Removes what was staged of a set on a node and not swapped in.
        fn discard(set: &str, node: &str) -> ();
        /// Removes a file; nothing to do where it does not exist.
        fn remove(node: &str, file: &str) -> ();
        /// Puts back a file, or all that a named command is declared to write, as it was before this run.
        fn restore(node: &str, name: &str) -> ();
    }

    /// What the cluster says of itself, and what it really serves.
    cluster {
        /// Asks every manager for its health table.
        fn health() -> Vec<HealthRecord>;
        /// Returns the certificate that a named endpoint of a node presents now.
        fn served(node: &str, endpoint: &str) -> Certificate;
        /// Returns the HTTP status that the manager's page answers with.
        fn manager() -> u16;
    }

    /// Keys and certificates, made and held by the host.
    crypto {
        /// Makes a key of this run.
        fn generate_key(name: &str, algorithm: &str) -> ();
        /// Has the host begin to make a key, which the next `generate_key` of the algorithm takes.
        fn prepare_key(algorithm: &str) -> ();
        /// Makes a self-signed CA certificate, valid from one hour ago for `days` days.
        fn self_sign(name: &str, key: &str, subject: &[Entry], days: u32) -> Certificate;
        /// Issues a leaf certificate for `key`, signed by a CA of this run.
        fn issue(name: &str, ca: &str, ca_key: &str, key: &str, subject: &[Entry], names: &[String], days: u32) -> Certificate;
        /// Makes a certificate signing request (PKCS#10, PEM) for a key of this run.
        fn request(key: &str, subject: &[Entry], names: &[String]) -> Vec<u8>;
        /// Takes a certificate that a CA elsewhere issued for `key` in as an object of the run, once it is checked.
        fn accept(name: &str, key: &str, certificate: &[u8]) -> Certificate;
        /// Takes the certificate of a CA elsewhere in as an object of the run, once it is checked.
        fn accept_ca(name: &str, certificate: &[u8]) -> Certificate;
        /// Opens the CA that the site supplies as objects of the run.
        fn supplied_ca(name: &str, key: &str, passphrase: &str) -> Certificate;
        /// Reads a certificate.
        fn inspect(source: &CertificateSource) -> Certificate;
        /// Says whether the private key in a file of a node is a certificate's: `fits`, `other`, `shut`, `none`.
        fn check_key(node: &str, file: &str, passphrase: &str, certificate: &CertificateSource) -> String;
        /// Checks that `leaf` chains to `root` now.
        fn verify_chain(leaf: &CertificateSource, root: &CertificateSource) -> ();
    }

    /// Versioned root keys: a key set in a file of a node. No byte of a key reaches a guest.
    keyring {
        /// Returns what the key set in a file of a node is, or none where the file does not exist.
        fn versions(node: &str, file: &str) -> Option<KeySet>;
        /// Stages a key set with one version more, the new primary.
        fn add(set: &str, node: &str, file: &str) -> KeySet;
        /// Stages a key set with one version less.
        fn retire(set: &str, node: &str, file: &str, version: u32) -> KeySet;
        /// Seals random bytes under the primary, as an object of the run.
        fn canary(name: &str, node: &str, file: &str) -> ();
        /// Opens a canary of this run, and returns the version that it was sealed under.
        fn opens(node: &str, file: &str, canary: &str) -> u32;
        /// Returns, in words, what of the site still needs a version.
        fn needs(version: u32) -> Vec<String>;
        /// Seals what the site keeps under other versions anew, and returns how many values there were.
        fn rewrap(node: &str, file: &str) -> u64;
    }

    /// Secrets of the run, by name. There is no way to read one.
    secrets {
        /// Makes a secret available under its name; asks the operator twice where `confirm`.
        fn ask(name: &str, prompt: &str, confirm: bool) -> ();
        /// Makes a random secret that meets the password policy.
        fn generate(name: &str, length: u32) -> ();
        /// Returns the rules of the password policy that the secret breaks, in words.
        fn check(name: &str) -> Vec<String>;
    }

    /// The person who runs this, and what they were told.
    operator {
        /// Returns a parameter of the procedure, as the site or the command line gave it.
        fn parameter(name: &str) -> Option<String>;
        /// Asks a yes-or-no question, showing the impact.
        fn confirm(question: &str, impact: &str) -> bool;
        /// Asks for the acknowledgement of an impact, which `--yes` does not give.
        fn acknowledge(question: &str, impact: &str) -> bool;
        /// Writes a note into the run's report, at most 4,096 characters.
        fn note(text: &str) -> ();
        /// Shows how far a long piece of work is.
        fn progress(done: u32, total: u32, text: &str) -> ();
    }

    /// Small values that the run keeps for this plugin between steps. Not for secrets.
    state {
        /// Returns a value set earlier in this run.
        fn get(name: &str) -> Option<String>;
        /// Keeps a value, at most 64 KiB.
        fn set(name: &str, value: &str) -> ();
    }

    /// The controller's clock.
    clock {
        /// Returns milliseconds since 1970 UTC.
        fn now() -> i64;
        /// Waits, at most 10 minutes a call.
        fn sleep(milliseconds: u32) -> ();
    }
}
