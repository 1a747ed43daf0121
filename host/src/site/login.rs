//! Which login environments a site asks for.

use super::Var;
use indexmap::IndexMap;

/// Returns the login variables to read, by user.
pub fn vars_needed(vars: &IndexMap<String, Var>) -> IndexMap<&str, Vec<&str>> {
    let mut needed: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for var in vars.values() {
        if let Var::LoginEnv { variable, user } = var {
            let names = needed.entry(user).or_default();
            if !names.contains(&variable.as_str()) {
                names.push(variable);
            }
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_login_is_asked_once_for_each_variable() {
        let from =
            |variable: &str, user: &str| Var::LoginEnv { variable: variable.into(), user: user.into() };
        let vars = IndexMap::from([
            ("home".to_owned(), from("BIGDATA_HOME", "omm")),
            ("port".to_owned(), Var::Literal("20012".into())),
            ("again".to_owned(), from("BIGDATA_HOME", "omm")),
            ("run".to_owned(), from("OMS_RUN_PATH", "omm")),
            ("other".to_owned(), from("HOME", "root")),
        ]);
        let expected =
            IndexMap::from([("omm", vec!["BIGDATA_HOME", "OMS_RUN_PATH"]), ("root", vec!["HOME"])]);
        assert_eq!(vars_needed(&vars), expected);
    }
}
