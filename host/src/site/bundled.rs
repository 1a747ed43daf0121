//! The profiles that Windlass ships.

/// What a site says that leaves it to its nodes which bundled profile it has.
pub const AUTO: &str = "auto";

const PROFILES: &[(&str, &str)] =
    &[("mrs-2", include_str!("profiles/mrs-2.toml")), ("mrs-3", include_str!("profiles/mrs-3.toml"))];

/// Returns the text of a bundled profile.
pub(super) fn text(name: &str) -> Option<&'static str> {
    PROFILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Returns the names of the bundled profiles.
pub fn profile_names() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|(name, _)| *name)
}
