//! WASI's random sources: one stream of bytes for each call, decided by its seed. Not for secrets, which a guest can
//! neither make nor hold: who knows the run knows these.

use super::super::call::Guest;
use super::interface;
use aws_lc_rs::digest;
use wasmtime::component::Linker;

/// Most bytes of one request.
const MOST: u64 = 64 << 10;

/// SHA-256 over seed and counter, block by block.
pub(super) struct Stream {
    seed: [u8; 32],
    counter: u64,
    left: Vec<u8>,
}

impl Stream {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0, left: Vec::new() }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        while self.left.len() < count {
            let mut context = digest::Context::new(&digest::SHA256);
            context.update(&self.seed);
            context.update(&self.counter.to_le_bytes());
            self.counter += 1;
            self.left.extend_from_slice(context.finish().as_ref());
        }
        let rest = self.left.split_off(count);
        std::mem::replace(&mut self.left, rest)
    }

    fn number(&mut self) -> u64 {
        self.take(8).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    for (name, bytes, number) in [
        ("random/random", "get-random-bytes", "get-random-u64"),
        ("random/insecure", "get-insecure-random-bytes", "get-insecure-random-u64"),
    ] {
        let mut instance = linker.instance(&interface(name))?;
        instance.func_wrap(bytes, |mut store, (count,): (u64,)| match usize::try_from(count) {
            Ok(few) if count <= MOST => Ok((store.data_mut().wasi().random.take(few),)),
            _ => Err(wasmtime::Error::msg(format!(
                "it asked for {count} random bytes at once, and may for {MOST}"
            ))),
        })?;
        instance.func_wrap(number, |mut store, ()| Ok((store.data_mut().wasi().random.number(),)))?;
    }
    let mut seed = linker.instance(&interface("random/insecure-seed"))?;
    seed.func_wrap("insecure-seed", |mut store, ()| {
        let random = &mut store.data_mut().wasi().random;
        Ok(((random.number(), random.number()),))
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_streams_however_they_are_taken() {
        let (mut one, mut other) = (Stream::new([7; 32]), Stream::new([7; 32]));
        let whole = one.take(100);
        let parts: Vec<u8> = [1, 31, 33, 35].iter().flat_map(|count| other.take(*count)).collect();
        assert_eq!(whole, parts);
        assert_eq!(one.number(), other.number());
        assert_ne!(whole, Stream::new([8; 32]).take(100));
    }
}
