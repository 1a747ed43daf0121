use super::guest::*;
use crate::plugin::bundle::{Bundle, BundleError, Embedded, pack};
use crate::plugin::{Kind, PluginError, Profile, engine};

fn leaked(bytes: Vec<u8>) -> &'static [u8] {
    Box::leak(bytes.into_boxed_slice())
}

fn open(bytes: Vec<u8>) -> Result<Bundle, BundleError> {
    // SAFETY: the bytes come from `pack`, or do not get as far as an image.
    Bundle::open(unsafe { Embedded::new(leaked(bytes)) })
}

fn packed() -> Vec<u8> {
    pack(&[("guest.wasm".into(), procedure(""))]).unwrap()
}

/// Changes the index without changing its length.
fn edited(from: &str, to: &str) -> Vec<u8> {
    let mut bytes = packed();
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

#[tokio::test]
async fn a_packed_plugin_runs_in_another_engine_of_this_build() {
    let bundle = open(packed()).unwrap();
    let (manifest, digest) = bundle.list().next().unwrap();
    assert_eq!((manifest.name.as_str(), manifest.kind), ("guest", Kind::Procedure));
    let plugin = bundle.get(&engine(Profile::Run).unwrap(), "guest").unwrap().unwrap();
    assert_eq!(plugin.digest(), digest);
    assert_eq!(plugin.digest(), load(&procedure("")).digest());
    assert_eq!(plugin.procedure_apply(&mut unreached(), &step("a")).await.unwrap(), Ok(()));
}

#[test]
fn a_plugin_that_is_not_inside_is_none() {
    assert!(open(packed()).unwrap().get(run_engine(), "other").unwrap().is_none());
}

#[test]
fn the_same_components_make_the_same_bundle() {
    assert!(packed() == packed());
}

#[test]
fn images_start_at_pages() {
    let bytes = packed();
    let image = bytes.windows(4).position(|window| window == b"\x7fELF").unwrap();
    assert_eq!(image % 4096, 0);
}

#[test]
fn what_cannot_be_loaded_is_not_packed() {
    let error = pack(&[("empty.wasm".into(), vec![])]).unwrap_err();
    assert!(error.to_string().contains("empty.wasm"), "{error}");
    let twice = [("a".into(), procedure("")), ("b".into(), procedure(""))];
    assert!(matches!(pack(&twice), Err(BundleError::Twice { .. })));
}

#[test]
fn a_bundle_of_another_build_says_what_to_run() {
    let engine = run_engine().fingerprint();
    let other = "0".repeat(engine.len());
    let error = open(edited(engine, &other)).unwrap().get(run_engine(), "guest").unwrap_err();
    assert!(matches!(error, PluginError::Bundle(BundleError::Engine { .. })), "{error:?}");
    assert!(error.to_string().contains("run `cargo xtask`"), "{error}");
    // So does an engine of another profile.
    let rehearse = crate::plugin::engine(Profile::Rehearse).unwrap();
    let error = open(packed()).unwrap().get(&rehearse, "guest").unwrap_err();
    assert!(matches!(error, PluginError::Bundle(BundleError::Engine { .. })), "{error:?}");
}

#[test]
fn a_damaged_bundle_is_an_error_wherever_it_is_cut() {
    let whole = packed();
    for length in [0, 10, 16, 20, 24, 100, 4000, whole.len() - 5000] {
        let cut = whole[..length].to_vec();
        let error = match open(cut) {
            Err(error) => error.to_string(),
            Ok(bundle) => bundle.get(run_engine(), "guest").unwrap_err().to_string(),
        };
        assert!(error.contains("run `cargo xtask`"), "{length}: {error}");
    }
    let mut flipped = packed();
    let last = flipped.len() - 5000;
    flipped[last] ^= 1;
    assert!(open(flipped).unwrap().get(run_engine(), "guest").is_err());
}

#[test]
fn a_newer_format_is_named() {
    let mut newer = packed();
    newer[16] = 3;
    assert!(matches!(open(newer), Err(BundleError::Format { found: 3 })));
}
