//! Which product the doubles stand for: its folders, and how its scripts differ.

use super::error::{LabError, Result};
use serde::{Deserialize, Serialize};

/// A version of the product, spelt as the profile that fits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
pub enum Product {
    /// 2.x and older
    #[default]
    #[value(name = "mrs-2")]
    #[serde(rename = "mrs-2")]
    Mrs2,
    /// 3.x
    #[value(name = "mrs-3")]
    #[serde(rename = "mrs-3")]
    Mrs3,
}

impl Product {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mrs2 => "mrs-2",
            Self::Mrs3 => "mrs-3",
        }
    }

    /// `BIGDATA_HOME`, as most installations have it.
    pub fn bigdata_home(self) -> &'static str {
        match self {
            Self::Mrs2 => "/opt/Bigdata",
            Self::Mrs3 => "/opt/huawei/Bigdata",
        }
    }

    /// The OM folder, below `BIGDATA_HOME`.
    pub(super) fn om(self) -> &'static str {
        match self {
            Self::Mrs2 => "om-0.0.1",
            Self::Mrs3 => "om-server/om",
        }
    }

    /// `OMS_RUN_PATH`, below `BIGDATA_HOME`.
    pub(super) fn oms_run_folder(self) -> &'static str {
        match self {
            Self::Mrs2 => "OMSV100R001C00x8664",
            Self::Mrs3 => "om-server/OMS",
        }
    }

    /// What the HA processes load, below `BIGDATA_HOME`.
    pub fn cert_ha(self) -> String {
        format!("{}/security/certHA", self.om())
    }

    /// The cluster's key set, below `BIGDATA_HOME`. Where the product keeps its own is not public.
    pub(super) fn keyset(self) -> String {
        format!("{}/security/keyset.json", self.om())
    }

    /// The first line of the health table.
    pub(super) fn mode_header(self) -> &'static str {
        match self {
            Self::Mrs2 => "Ha mode",
            Self::Mrs3 => "HAMode",
        }
    }

    /// How HAAllResOK is printed. The product's samples have lower case and its prose a capital; which version
    /// prints which is not public, so each has one here.
    pub(super) fn all_normal(self, normal: bool) -> &'static str {
        match (self, normal) {
            (Self::Mrs2, true) => "normal",
            (Self::Mrs2, false) => "abnormal",
            (Self::Mrs3, true) => "Normal",
            (Self::Mrs3, false) => "Abnormal",
        }
    }

    /// Writes the product's own words into a text of the doubles.
    ///
    /// # Errors
    /// Where the text has none of the places for them.
    pub(super) fn fill(self, text: &str) -> Result<String> {
        let mut filled = text.to_owned();
        for (place, value) in [("@product@", self.as_str()), ("@om@", self.om())] {
            if !filled.contains(place) {
                return Err(LabError::failed("write the doubles", format!("{place} is not in them")));
            }
            filled = filled.replace(place, value);
        }
        Ok(filled)
    }
}
