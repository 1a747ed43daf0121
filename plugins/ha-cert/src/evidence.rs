//! Looks that prove an effect. The product's scripts can report success whatever happened, so no step believes
//! their words alone.

use crate::health::{self, Expect};
use crate::memory::{Known, Remembered};
use crate::names::{ENDPOINT, LEAF_CERT, ROOT_CERT};
use crate::pair::{Pair, Role};
use sha2::{Digest as _, Sha256};
use windlass_sdk::host::{clock, cluster, crypto};
use windlass_sdk::{Certificate, CertificateSource, Fault, HealthRecord};
use windlass_sdk::{Problems, is_about_authority};

/// A certificate file: its bytes and what they say.
pub struct CertificateFile {
    pub bytes: Vec<u8>,
    pub certificate: Certificate,
}

impl CertificateFile {
    pub fn read(pair: &Pair, role: Role, file: &str) -> Result<CertificateFile, Fault> {
        let bytes = pair.node(role).read(file)?;
        let certificate = crypto::inspect(&CertificateSource::Bytes(bytes.clone())).map_err(|fault| {
            Fault { message: format!("{file} on {}: {}", pair.name(role), fault.message), ..fault }
        })?;
        Ok(CertificateFile { bytes, certificate })
    }

    /// SHA-256 of the bytes, as `fingerprint` gives it, without another question to the node.
    pub fn digest(&self) -> String {
        Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether it is in date, in seconds since 1970 UTC.
    pub fn is_in_date(&self, now: i64) -> bool {
        (self.certificate.not_before..=self.certificate.not_after).contains(&now)
    }

    pub fn chains_to(&self, root: &CertificateFile) -> Result<(), Fault> {
        crypto::verify_chain(
            &CertificateSource::Bytes(self.bytes.clone()),
            &CertificateSource::Bytes(root.bytes.clone()),
        )
    }
}

/// Returns the root in place on a node, after seeing that it is the new one.
pub fn new_root_in_place(pair: &Pair, role: Role) -> Result<CertificateFile, Fault> {
    in_place(pair, role, ROOT_CERT, &Remembered::NewRoot.expect()?)
}

/// Returns the leaf in place on a node, after seeing that it is the one that this run made for it.
pub fn new_leaf_in_place(pair: &Pair, role: Role) -> Result<CertificateFile, Fault> {
    in_place(pair, role, LEAF_CERT, &Remembered::NewLeaf(role).expect()?)
}

fn in_place(pair: &Pair, role: Role, file: &str, expected: &Known) -> Result<CertificateFile, Fault> {
    let found = CertificateFile::read(pair, role, file)?;
    if found.certificate.fingerprint == expected.fingerprint {
        return Ok(found);
    }
    Err(Fault::failed(format!(
        "{file} on {} is {}, not {} that this run put there",
        pair.name(role),
        found.certificate.fingerprint,
        expected.fingerprint
    ))
    .hint("something else writes there (the product's file synchronisation?): find out what before going on"))
}

/// Waits until the endpoint of a node presents a certificate. An endpoint that does not answer is still
/// starting; it is given `patience` milliseconds.
pub fn wait_until_served(pair: &Pair, role: Role, expected: &Known, patience: u32) -> Result<(), Fault> {
    let node = pair.name(role);
    let mut waits = Waits::new(patience);
    loop {
        let last = match pair.node(role).served(ENDPOINT) {
            Ok(served) if served.fingerprint == expected.fingerprint => return Ok(()),
            Ok(served) => format!("it presents {}", served.fingerprint),
            Err(fault) if fault.is("unreachable") || fault.is("timeout") => fault.message,
            Err(fault) => return Err(fault),
        };
        if !waits.wait()? {
            return Err(Fault::failed(format!(
                "{} s after the restart, {ENDPOINT} on {node} does not present {}: {last}",
                patience / 1_000,
                expected.fingerprint
            ))
            .hint(format!(
                "look at the HA service's log on {node}; the parameter patience sets how long is waited"
            )));
        }
    }
}

/// The health table as it was seen last, and what is wrong with it.
pub struct Health {
    pub rows: Vec<HealthRecord>,
    pub judged: Result<(), Fault>,
}

/// Waits until the pair is normal, `patience` milliseconds at most: right after a restart the product shows NULL
/// for a while.
pub fn wait_until_normal(pair: &Pair, patience: u32) -> Result<Health, Fault> {
    let mut waits = Waits::new(patience);
    loop {
        let rows = cluster::health()?;
        let mut problems = Problems::default();
        health::judge(&rows, pair, Expect::OneActive, &mut problems);
        let judged = problems.into_result("failed");
        if judged.is_ok() || !waits.wait()? {
            return Ok(Health { rows, judged });
        }
    }
}

/// Waits that grow from 20 ms to 2 s, up to a total: a quick service costs little, a slow one few calls.
pub struct Waits {
    left: u32,
    next: u32,
}

impl Waits {
    pub fn new(patience: u32) -> Waits {
        Waits { left: patience, next: 20 }
    }

    /// Waits once. False: the patience is used up.
    pub fn wait(&mut self) -> Result<bool, Fault> {
        let wait = self.next.min(self.left);
        if wait == 0 {
            return Ok(false);
        }
        clock::sleep(wait)?;
        self.left -= wait;
        self.next = self.next.saturating_mul(3).div_ceil(2).min(2_000);
        Ok(true)
    }
}

/// Returns the message of a fault about the cluster; one about what this run may do is passed on.
pub fn seen<T>(looked: Result<T, Fault>) -> Result<Result<T, String>, Fault> {
    match looked {
        Ok(value) => Ok(Ok(value)),
        Err(fault) if is_about_authority(&fault) => Err(fault),
        Err(fault) => Ok(Err(fault.message)),
    }
}

/// Returns a day as people write it, from seconds since 1970 UTC.
pub fn date(seconds: i64) -> String {
    // Days to a date of the Gregorian calendar, in eras of 400 years that begin on 1 March of the year 0.
    let days = seconds.div_euclid(86_400).saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
            (253_402_300_799, "9999-12-31"),
        ] {
            assert_eq!(date(seconds), expected, "{seconds}");
        }
        // No input may trap a guest.
        let _ = (date(i64::MAX), date(i64::MIN));
    }
}
