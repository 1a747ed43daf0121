//! The CA that a site supplies for a procedure: its files on the controller.

use crate::model::{Fault, PluginName, code};
use crate::site::{ProcedureSettings, Site};
use camino::Utf8Path;
use zeroize::Zeroizing;

pub(super) struct SuppliedFiles {
    pub certificate: Vec<u8>,
    pub key: Zeroizing<Vec<u8>>,
}

/// Reads both files.
pub(super) fn files(
    site: &Site,
    settings: &ProcedureSettings,
    plugin: &PluginName,
) -> Result<SuppliedFiles, Fault> {
    let Some(supplied) = &settings.supplied else {
        return Err(Fault::new(code::UNKNOWN, format!("the site supplies no CA for {plugin}")).hint(format!(
            "in site.toml, under [procedures.{plugin}]: supplied = {{ certificate = \"root-ca.crt\", key = \"root-ca.pem\" }}"
        )));
    };
    let read = |path: &Utf8Path| {
        let path = site.dir.join(path);
        std::fs::read(&path).map_err(|error| {
            Fault::new(code::REFUSED, format!("the supplied {path} cannot be read: {error}"))
        })
    };
    Ok(SuppliedFiles { certificate: read(&supplied.certificate)?, key: Zeroizing::new(read(&supplied.key)?) })
}
