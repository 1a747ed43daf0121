//! What sealing 100,000 values anew under a new version of the root key costs, beside a bare loop that does the same
//! with AES-GCM and SQLite and nothing else.

use crate::times::Times;
use crate::{Result, tell};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use camino::Utf8Path;
use rusqlite::{Connection, params};
use windlass::capability::keyring::{Keyset, Store};
use windlass::capability::secrets::Secret;

const VALUES: usize = 100_000;
/// As the store does.
const BATCH: usize = 256;
const LENGTH: usize = 24;

pub fn measure(folder: &Utf8Path) -> Result<()> {
    let old = Keyset::generate()?;
    let folder = folder.join("sealed");
    let mut store = Store::open(&folder)?;
    {
        let mut raw = Connection::open(folder.join("secrets.db"))?;
        let filling = raw.transaction()?;
        for at in 0..VALUES {
            let name = format!("name-{at:06}");
            let sealed = old.seal(&Secret::new(vec![b'x'; LENGTH]), &name)?;
            filling.execute("INSERT INTO items VALUES (?1, ?2, 0)", params![name, sealed])?;
        }
        filling.commit()?;
    }
    let mut keyset = old;
    let times = Times::of(3, || {
        keyset = keyset.with_new_primary()?;
        match store.rewrap(&keyset, |_| true)?.done {
            done if done == VALUES as i64 => Ok(()),
            done => Err(format!("{done} values were sealed anew").into()),
        }
    })?;
    let rate = |times: &Times| format!("{:.0} values a second", VALUES as f64 / times.median());
    tell(
        "100,000 values sealed anew",
        &times,
        None,
        &format!("{}; {BATCH} in each durable commit, each value opened and checked; 3 times", rate(&times)),
    );
    let times = bare(&folder)?;
    tell(
        "  beside it: a bare loop of AES-GCM and SQLite",
        &times,
        None,
        &format!("{}; the same bytes, rows and commits; 3 times", rate(&times)),
    );
    Ok(())
}

fn bare(folder: &Utf8Path) -> Result<Times> {
    let mut database = Connection::open(folder.join("bare.db"))?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE items (id INTEGER PRIMARY KEY, sealed BLOB)",
    )?;
    let key = || -> Result<LessSafeKey> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes)?;
        Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes)?))
    };
    let nonce = || -> Result<[u8; 12]> {
        let mut bytes = [0; 12];
        aws_lc_rs::rand::fill(&mut bytes)?;
        Ok(bytes)
    };
    let seal = |key: &LessSafeKey, value: &[u8]| -> Result<Vec<u8>> {
        let drawn = nonce()?;
        let mut sealed = value.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(drawn), Aad::empty(), &mut sealed)?;
        Ok([&drawn[..], &sealed].concat())
    };
    let mut old = key()?;
    let filling = database.transaction()?;
    for _ in 0..VALUES {
        filling.execute("INSERT INTO items (sealed) VALUES (?1)", [seal(&old, &[b'x'; LENGTH])?])?;
    }
    filling.commit()?;
    Times::of(3, || {
        let new = key()?;
        for begin in (0..VALUES).step_by(BATCH) {
            let transaction = database.transaction()?;
            {
                let mut select = transaction.prepare_cached("SELECT sealed FROM items WHERE id = ?1")?;
                let mut update = transaction.prepare_cached("UPDATE items SET sealed = ?2 WHERE id = ?1")?;
                for id in begin + 1..=(begin + BATCH).min(VALUES) {
                    let sealed: Vec<u8> = select.query_row([id as i64], |row| row.get(0))?;
                    let (nonce, sealed) = sealed.split_at(12);
                    let mut value = sealed.to_vec();
                    let nonce = Nonce::try_assume_unique_for_key(nonce)?;
                    let value = old.open_in_place(nonce, Aad::empty(), &mut value)?;
                    update.execute(params![id as i64, seal(&new, value)?])?;
                }
            }
            transaction.commit()?;
        }
        old = new;
        Ok(())
    })
}
