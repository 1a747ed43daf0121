//! The ssh agent: which keys it holds, and a signature by one of them. Two messages of its protocol.

use super::error::ApprovalError;
use ssh_key::Signature;
use ssh_key::public::KeyData;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
/// Of an RSA key: sign with SHA-512.
const RSA_SHA2_512: u32 = 4;
/// Messages are this long at most, as OpenSSH's own agent has it.
const LONGEST: usize = 256 * 1024;
/// A person may have to touch something, or to confirm.
const PATIENCE: Duration = Duration::from_secs(120);

/// An agent, by its socket.
#[derive(Debug, Clone)]
pub(super) struct Agent(PathBuf);

impl Agent {
    /// Returns the agent that `SSH_AUTH_SOCK` names; none where it names none.
    pub fn connect() -> Result<Option<Self>, ApprovalError> {
        match std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty()) {
            Some(socket) => Ok(Some(Self(socket.into()))),
            None => Ok(None),
        }
    }

    /// Returns the agent, if it holds this key.
    pub fn holding(key: &KeyData) -> Result<Option<Self>, ApprovalError> {
        let Some(agent) = Self::connect()? else { return Ok(None) };
        Ok(agent.keys()?.contains(key).then_some(agent))
    }

    pub fn keys(&self) -> Result<Vec<KeyData>, ApprovalError> {
        let answer = self.ask(&[REQUEST_IDENTITIES], IDENTITIES_ANSWER)?;
        let mut rest = answer.as_slice();
        let count = number(&mut rest).ok_or_else(garbled)?;
        let mut keys = Vec::new();
        for _ in 0..count {
            let (key, _comment) =
                (bytes(&mut rest).ok_or_else(garbled)?, bytes(&mut rest).ok_or_else(garbled)?);
            // Keys of a kind that is not known here are not for us.
            keys.extend(decoded(key));
        }
        Ok(keys)
    }

    pub fn sign(&self, key: &KeyData, message: &[u8]) -> Result<Signature, ApprovalError> {
        let mut request = vec![SIGN_REQUEST];
        put(&mut request, &encoded(key).ok_or_else(garbled)?);
        put(&mut request, message);
        request.extend(RSA_SHA2_512.to_be_bytes());
        let answer = self.ask(&request, SIGN_RESPONSE)?;
        let mut rest = answer.as_slice();
        let signature = bytes(&mut rest).ok_or_else(garbled)?;
        Signature::try_from(signature).map_err(|_| garbled())
    }

    /// Sends one message and returns the answer without its first byte, which must be `wanted`.
    fn ask(&self, message: &[u8], wanted: u8) -> Result<Vec<u8>, ApprovalError> {
        let socket = self.0.display();
        let failed = |error: std::io::Error| ApprovalError::Agent { why: format!("{socket}: {error}") };
        let mut stream = UnixStream::connect(&self.0).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        let mut framed = Vec::with_capacity(message.len() + 4);
        put(&mut framed, message);
        stream.write_all(&framed).map_err(failed)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length).map_err(failed)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length == 0 || length > LONGEST {
            return Err(garbled());
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).map_err(failed)?;
        match answer.split_first() {
            Some((kind, rest)) if *kind == wanted => Ok(rest.to_vec()),
            _ => Err(ApprovalError::Agent { why: "it refused, or it does not hold the key any more".into() }),
        }
    }
}

fn garbled() -> ApprovalError {
    ApprovalError::Agent { why: "it answered something that is no answer".into() }
}

fn put(into: &mut Vec<u8>, bytes: &[u8]) {
    // A message of 4 GiB is refused by the other side.
    into.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    into.extend(bytes);
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_be_bytes(*number))
}

fn bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

fn decoded(key: &[u8]) -> Option<KeyData> {
    ssh_key::PublicKey::from_bytes(key).ok().map(|key| key.key_data().clone())
}

fn encoded(key: &KeyData) -> Option<Vec<u8>> {
    ssh_key::PublicKey::from(key.clone()).to_bytes().ok()
}
